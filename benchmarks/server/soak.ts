// Clients for minutes against `awq serve`: lost requests, memory by the minute, times between tokens.
//
//   npx node --conditions @awq/source benchmarks/server/soak.ts --model QUANTIZED_DIR --clients 64 --minutes 10
import { parseArgs } from 'node:util'
import { openFolder } from '@awq/tensor/node'
import { loadTokenizer } from '@awq/text'
import { awq } from '../runtime/folders.ts'
import { runLoad } from './load.ts'
import { startServer } from './started.ts'
import { textOfBenchmark } from './text.ts'

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    command: { type: 'string', default: awq },
    clients: { type: 'string', default: '64' },
    minutes: { type: 'string', default: '10' },
    'max-batch': { type: 'string', default: '8' },
    'prompt-tokens': { type: 'string', default: '64' },
    tokens: { type: 'string', default: '64' },
  },
})
if (!values.model) throw new Error('--model QUANTIZED_DIR is needed')
const tokenizer = await loadTokenizer(await openFolder(values.model))
const ids = tokenizer.encode(textOfBenchmark())
const started = await startServer([
  ...[...process.execArgv, values.command, 'serve', `model=${values.model}`, '--port', '0', '--json'],
  ...['--max-batch', values['max-batch'], '--log-level', 'error'],
])
const memory: number[] = []
const watch = setInterval(() => {
  memory.push(Math.round(started.memory().now))
  console.error(`minute ${memory.length}: ${memory.at(-1)} MiB`)
}, 60_000)
try {
  const result = await runLoad({
    url: started.url,
    clients: Number(values.clients),
    seconds: 60 * Number(values.minutes),
    ids,
    promptTokens: Number(values['prompt-tokens']),
    newTokens: Number(values.tokens),
  })
  console.log(JSON.stringify({ ...result, errors: result.errors.slice(0, 5), lost: result.errors.length, memory }))
} finally {
  clearInterval(watch)
  await started.stop()
}
