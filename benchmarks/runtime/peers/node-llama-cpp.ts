// llama.cpp as a Node program would use it: a sequence of node-llama-cpp, greedy.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { answer, readJob, secondsSince } from './job.ts'

/** What this uses of node-llama-cpp, which is not installed where types are checked. */
interface Sequence {
  clearHistory(): Promise<void>
  evaluate(tokens: number[], options: { temperature: number; yieldEogToken: boolean }): AsyncIterable<number>
}
interface Llama {
  loadModel(options: object): Promise<{ createContext(options: object): Promise<{ getSequence(): Sequence }> }>
}
interface NodeLlamaCpp {
  getLlama(options: object): Promise<Llama>
}

const job = readJob()
const entry = join(job.peers, 'node_modules', 'node-llama-cpp', 'dist', 'index.js')
const { getLlama } = (await import(pathToFileURL(entry).href)) as NodeLlamaCpp
const start = performance.now()
const llama = await getLlama({
  build: 'never',
  gpu: false,
  skipDownload: true,
  maxThreads: job.threads,
  logLevel: 'error',
})
const model = await llama.loadModel({ modelPath: job.model, gpuLayers: 0 })
const context = await model.createContext({
  contextSize: Math.max(2048, ...job.contexts.map((length) => length + job.generate + 1)),
  batchSize: 512,
  threads: { ideal: job.threads, min: job.threads },
  flashAttention: job.flash,
  sequences: 1,
})
const sequence = context.getSequence()
const loadSeconds = secondsSince(start)

/** Seconds to the first token, and from there to the last of `count` more. */
const generate = async (prompt: readonly number[], count: number): Promise<{ first: number; rest: number }> => {
  await sequence.clearHistory()
  const start = performance.now()
  let first = 0
  let firstAt = 0
  let seen = 0
  for await (const _ of sequence.evaluate([...prompt], { temperature: 0, yieldEogToken: true })) {
    if (seen === 0) {
      first = secondsSince(start)
      firstAt = performance.now()
    }
    if (seen++ === count) break
  }
  return { first, rest: secondsSince(firstAt) }
}

await answer(job, loadSeconds, {
  prefill: async (prompt) => (await generate(prompt, 0)).first,
  decode: async (prompt, count) => (await generate(prompt, count)).rest,
})
process.exit(0)
