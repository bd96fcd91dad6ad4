// Writes a model of random weights: what speed depends on is the shape alone.
//
//   node benchmarks/runtime/random-model.ts --shape llama-3.2-1b|smollm2-135m|llama-7b --tokenizer MODEL_DIR -o DIR [--quantized]
//
// Without --quantized: a Hugging Face folder, float16. With it: the folder that `awq quantize --group-size 64` would
// write (asymmetric, 8-bit head and embedding), weights rounded to nearest.
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { quantize, rtn } from '@awq/core'
import type { Folder } from '@awq/tensor'
import { fileSink, openFolder } from '@awq/tensor/node'
import { randomFolder } from './random-folder.ts'
import { shapes } from './shapes.ts'

const usage =
  `usage: random-model.ts --shape ${Object.keys(shapes).join('|')} --tokenizer MODEL_DIR -o DIR ` +
  '[--quantized] [--bits 2|3|4|8] [--group-size G] [--symmetric] [--head-bits B] [--embedding-bits B] [--layers N] [--seed N]'

const { values } = parseArgs({
  options: {
    shape: { type: 'string' },
    tokenizer: { type: 'string' },
    output: { type: 'string', short: 'o' },
    quantized: { type: 'boolean', default: false },
    bits: { type: 'string', default: '4' },
    'group-size': { type: 'string', default: '64' },
    symmetric: { type: 'boolean', default: false },
    'head-bits': { type: 'string', default: '8' },
    'embedding-bits': { type: 'string', default: '8' },
    layers: { type: 'string' },
    seed: { type: 'string', default: '0' },
  },
})
const shape = shapes[values.shape ?? '']
if (!shape || !values.tokenizer || !values.output) {
  console.error(usage)
  process.exit(2)
}

/** Bytes that are copied at once. */
const chunk = 2 ** 26

/** Writes every file of a folder to disk. */
const copyFolder = async (folder: Folder, output: string): Promise<void> => {
  await mkdir(output, { recursive: true })
  if ((await readdir(output)).length > 0) throw new Error(`${output} is not empty`)
  for (const file of await folder.list()) {
    if (!file.endsWith('.safetensors')) {
      await writeFile(join(output, file), await folder.readText(file))
      continue
    }
    const source = await folder.open(file)
    const sink = await fileSink(join(output, file))
    for (let at = 0; at < source.size; at += chunk)
      await sink.write(await source.read(at, Math.min(chunk, source.size - at)))
    await sink.close?.()
  }
}

const config = { ...shape, ...(values.layers ? { num_hidden_layers: Number(values.layers) } : {}) }
const folder = randomFolder(config, await openFolder(values.tokenizer), Number(values.seed))
if (values.quantized)
  await quantize({
    model: folder,
    output: values.output,
    method: rtn(),
    bits: Number(values.bits) as 2 | 3 | 4 | 8,
    groupSize: Number(values['group-size']),
    symmetric: values.symmetric,
    headBits: Number(values['head-bits']) as 4 | 8 | 16,
    embeddingBits: Number(values['embedding-bits']) as 4 | 8 | 16,
  })
else await copyFolder(folder, values.output)
