// llama.cpp with parallel sequences, as node-llama-cpp batches them; requests wait for a sequence.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readServerJob, serveTokens } from './sse-server.ts'

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

const job = readServerJob()
const entry = join(job.peers, 'node_modules', 'node-llama-cpp', 'dist', 'index.js')
const { getLlama } = (await import(pathToFileURL(entry).href)) as NodeLlamaCpp
const llama = await getLlama({
  build: 'never',
  gpu: false,
  skipDownload: true,
  maxThreads: job.threads,
  logLevel: 'error',
})
const model = await llama.loadModel({ modelPath: job.model, gpuLayers: 0 })
const context = await model.createContext({
  contextSize: job.context,
  batchSize: 512,
  threads: { ideal: job.threads, min: job.threads },
  flashAttention: true,
  sequences: job.parallel,
})
const free = Array.from({ length: job.parallel }, () => context.getSequence())
const waiting: ((sequence: Sequence) => void)[] = []
const take = async (): Promise<Sequence> => free.pop() ?? new Promise((resolve) => waiting.push(resolve))
const give = (sequence: Sequence): void => {
  const next = waiting.shift()
  if (next) next(sequence)
  else free.push(sequence)
}

serveTokens(async function* (ids, count, signal) {
  const sequence = await take()
  try {
    await sequence.clearHistory()
    let made = 0
    for await (const id of sequence.evaluate([...ids], { temperature: 0, yieldEogToken: true })) {
      yield id
      if (++made === count || signal.aborted) break
    }
  } finally {
    give(sequence)
  }
})
