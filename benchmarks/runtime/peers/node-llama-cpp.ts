// llama.cpp as a Node program would use it: a sequence of node-llama-cpp, greedy.
import { importLlama, loadLlama } from '../../peers/node-llama-cpp.ts'
import { answer, readJob, secondsSince } from './job.ts'

const job = readJob()
const library = await importLlama(job.peers)
const start = performance.now()
const model = await loadLlama(library, job)
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
