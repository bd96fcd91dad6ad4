// What activations rounded to int8 change: the same quantized model, `fast` against `exact`.
//
//   node --conditions=@awq/source benchmarks/kernels/accuracy.ts QUANTIZED_DIR --text FILE [--windows 3]
//
// Prints one line of JSON: KL in nats per token and top-1 agreement of `fast` with `exact`, and the perplexity of `fast`.
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { evaluate } from '@awq/evaluate'
import { createEngine } from '@awq/ort'
import { openModel } from '@awq/runtime'
import { openFolder } from '@awq/tensor/node'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { text: { type: 'string' }, windows: { type: 'string', default: '3' } },
})
const [directory] = positionals
if (directory === undefined || values.text === undefined) {
  console.error('usage: accuracy.ts QUANTIZED_DIR --text FILE [--windows 3]')
  process.exit(2)
}
const engine = await createEngine({ engine: 'native' })
const folder = await openFolder(directory)
await using model = await openModel(folder, engine, { accuracy: 'fast' })
await using against = await openModel(folder, engine, { accuracy: 'exact' })
const text = await readFile(values.text, 'utf8')
console.log(JSON.stringify(await evaluate({ model, against, text, maxWindows: Number(values.windows) })))
await engine.dispose()
