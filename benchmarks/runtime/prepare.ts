// Makes each peer's model from one Hugging Face folder. What is there already is kept.
//
//   npx node benchmarks/runtime/prepare.ts --model NAME MODEL_DIR [--formats f16,q4_0,...]
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { run } from './command.ts'
import { awq, type Format, here, modelPath, peersFolder, python } from './folders.ts'

type Made = Exclude<Format, 'float'>

/** How a format is made: from what, and by which command. */
interface Recipe {
  readonly from?: Made
  readonly make: (folder: string, output: string, input: string) => Promise<void>
}

const quantizeGguf = (type: string): Recipe => ({
  from: 'f16',
  make: (_, output, input) => run(process.execPath, [here('peers/quantize-gguf.ts'), peersFolder, input, output, type]),
})
const genai = (precision: string): Recipe => ({
  make: (folder, output) =>
    run(
      python,
      [
        ...['-m', 'onnxruntime_genai.models.builder', '-m', 'local', '-i', folder, '-o', output],
        ...['-p', precision, '-e', 'cpu', '-c', join(peersFolder, 'cache')],
      ],
      { env: { TQDM_DISABLE: '1' } },
    ),
})

const recipes: Readonly<Record<Made, Recipe>> = {
  // Round to nearest: the speed of a format does not depend on how its codes were found.
  awq: {
    make: (folder, output) =>
      run(process.execPath, [awq, 'quantize', folder, '-o', output, '--method', 'rtn', '--group-size', '64']),
  },
  f16: {
    make: (folder, output) =>
      run(python, [
        join(peersFolder, 'llama.cpp', 'convert_hf_to_gguf.py'),
        ...[folder, '--outtype', 'f16', '--outfile', output],
      ]),
  },
  q4_0: quantizeGguf('q4_0'),
  q4_1: quantizeGguf('q4_1'),
  'genai-int4': genai('int4'),
  'genai-fp32': genai('fp32'),
  'transformers-js': {
    from: 'genai-int4',
    make: (folder, output, input) => run(python, [here('peers/transformers_js_folder.py'), input, folder, output]),
  },
}

/** Every format that can be made. */
export const formats = Object.keys(recipes) as Made[]

/** Makes a model's format unless it is there; a run that is interrupted leaves nothing under the final name. */
export const prepare = async (name: string, folder: string, format: Made): Promise<string> => {
  const output = modelPath(name, format)
  if (existsSync(output)) return output
  const { from, make } = recipes[format]
  const input = from ? await prepare(name, folder, from) : folder
  const partial = join(dirname(output), `partial-${format}`)
  await mkdir(dirname(output), { recursive: true })
  await rm(partial, { recursive: true, force: true })
  await make(folder, partial, input)
  await rename(partial, output)
  return output
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { model: { type: 'string' }, formats: { type: 'string', default: formats.join() } },
  })
  const [folder] = positionals
  if (!values.model || !folder) {
    console.error(`usage: prepare.ts --model NAME MODEL_DIR [--formats ${formats.join()}]`)
    process.exit(2)
  }
  for (const format of values.formats.split(',')) {
    if (!formats.some((known) => known === format)) throw new Error(`no format ${format}: ${formats.join(', ')}`)
    console.log(await prepare(values.model, folder, format as Made))
  }
}
