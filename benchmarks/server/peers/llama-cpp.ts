// llama.cpp with parallel sequences, as node-llama-cpp batches them; requests wait for a sequence.
import { importLlama, loadLlama, type Sequence } from '../../peers/node-llama-cpp.ts'
import { readServerJob, serveTokens } from './sse-server.ts'

const job = readServerJob()
const model = await loadLlama(await importLlama(job.peers), job)
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
