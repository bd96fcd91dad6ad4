// Servers side by side: this one, llama.cpp with parallel sequences and transformers.js, 1, 8 and 64 clients.
//
//   npx node --conditions @awq/source benchmarks/server/run.ts --model QUANTIZED_DIR --gguf FILE --transformers-js DIR
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { openFolder } from '@awq/tensor/node'
import { loadTokenizer } from '@awq/text'
import { awq, here as runtimePath } from '../runtime/folders.ts'
import { type LoadResult, runLoad } from './load.ts'
import type { ServerJob } from './peers/sse-server.ts'
import { startServer } from './started.ts'
import { textOfBenchmark } from './text.ts'

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    gguf: { type: 'string' },
    'transformers-js': { type: 'string' },
    command: { type: 'string', default: awq },
    'llama-peers': { type: 'string', default: runtimePath('.peers') },
    'transformers-js-peers': { type: 'string', default: runtimePath('.peers') },
    clients: { type: 'string', default: '1,8,64' },
    seconds: { type: 'string', default: '20' },
    'prompt-tokens': { type: 'string', default: '64' },
    tokens: { type: 'string', default: '64' },
    parallel: { type: 'string', default: '8' },
    threads: { type: 'string', default: '2' },
    json: { type: 'boolean', default: false },
  },
})
if (!values.model) throw new Error('--model QUANTIZED_DIR is needed')

const [promptTokens, newTokens, parallel, threads, seconds] = [
  ...[values['prompt-tokens'], values.tokens, values.parallel, values.threads, values.seconds].map(Number),
] as [number, number, number, number, number]
const folder = await openFolder(values.model)
const tokenizer = await loadTokenizer(folder)
const ids = tokenizer.encode(textOfBenchmark())
const context = promptTokens + newTokens + 8

const peer = (script: string, model: string, peers: string): string[] => {
  const job: ServerJob = { model: resolve(model), threads, parallel, context, peers: resolve(peers) }
  return [join(import.meta.dirname, 'peers', script), JSON.stringify(job)]
}
const contestants: Record<string, readonly string[]> = {
  ours: [
    ...[...process.execArgv, values.command, 'serve', `model=${values.model}`, '--port', '0', '--json'],
    ...['--max-batch', String(parallel), '--log-level', 'error'],
  ],
  ...(values.gguf ? { 'llama.cpp': peer('llama-cpp.ts', values.gguf, values['llama-peers']) } : {}),
  ...(values['transformers-js']
    ? {
        'transformers.js': peer('transformers-js.ts', values['transformers-js'], values['transformers-js-peers']),
      }
    : {}),
}

const rows: ({ server: string; clients: number; memoryMiB: number } & LoadResult)[] = []
for (const [server, parameters] of Object.entries(contestants)) {
  const started = await startServer(parameters)
  try {
    const plan = { url: started.url, ids, promptTokens, newTokens }
    await runLoad({ ...plan, clients: 2, seconds: 1 })
    for (const clients of values.clients.split(',').map(Number)) {
      const result = await runLoad({ ...plan, clients, seconds })
      rows.push({ server, clients, memoryMiB: Math.round(started.memory().most), ...result })
      if (!values.json) {
        const { tokensPerSecond, firstToken, betweenTokens, errors, requests } = result
        console.log(
          `${server.padEnd(16)} ${String(clients).padStart(3)} clients ${tokensPerSecond.toFixed(0).padStart(5)} tok/s, first ` +
            `${firstToken.p50.toFixed(0)} / ${firstToken.p99.toFixed(0)} ms, between ${betweenTokens.p50.toFixed(1)} / ` +
            `${betweenTokens.p99.toFixed(1)} ms, ${requests} requests, ${errors.length} errors, ` +
            `${started.memory().most.toFixed(0)} MiB`,
        )
      }
    }
  } finally {
    await started.stop()
  }
}
if (values.json) console.log(JSON.stringify(rows))
