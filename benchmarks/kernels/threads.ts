// What threads, their way of waiting, and the length of a prompt's chunks do to decoding and prefill.
//
//   node --conditions=@awq/source benchmarks/kernels/threads.ts [--shape smollm2-135m] [--prompts 512,1500]
//     [--chunks 64,128,256,512] [--rounds 5] [--steps 16]
//
// Tokens/s, best / median of the rounds.
import { parseArgs } from 'node:util'
import { createEngine } from '@awq/ort'
import { sizesOf, usualForm } from './decoder-graph.ts'
import { type DecoderRun, openDecoder } from './decoder-run.ts'
import { inTurns, markdown, pair, rates } from './rounds.ts'

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: 'smollm2-135m' },
    contexts: { type: 'string', default: '16,512' },
    prompts: { type: 'string', default: '512,1500' },
    chunks: { type: 'string', default: '64,128,256,512' },
    rounds: { type: 'string', default: '5' },
    steps: { type: 'string', default: '16' },
  },
})

const numbers = (list: string): number[] => list.split(',').filter(Boolean).map(Number)
const contexts = numbers(values.contexts)
const prompts = numbers(values.prompts)
const chunks = numbers(values.chunks)
const steps = Number(values.steps)
const rounds = Number(values.rounds)
const capacity = Math.max(...contexts.map((past) => past + steps + 3), ...prompts)

const opened: { name: string; run: DecoderRun; end: () => Promise<void> }[] = []
for (const threads of [1, 2]) {
  for (const spin of threads === 1 ? [true] : [true, false]) {
    const engine = await createEngine({ engine: 'native', threads, spin })
    const run = await openDecoder(engine, sizesOf(values.shape), usualForm, capacity)
    const name = threads === 1 ? '1 thread' : `${threads} threads, ${spin ? 'spinning' : 'sleeping'}`
    opened.push({ name, run, end: () => engine.dispose() })
  }
}

const timed = async (
  head: readonly string[],
  measurements: readonly { readonly amount: number; readonly measure: (run: DecoderRun) => Promise<number> }[],
  subjects: typeof opened,
  times: number,
): Promise<void> => {
  const cells = subjects.map(({ name }) => [name])
  for (const { amount, measure } of measurements) {
    const summaries = await inTurns(
      subjects.map(({ name, run }) => ({ name, measure: () => measure(run) })),
      times,
    )
    for (const [index, summary] of summaries.entries()) cells[index]!.push(pair(rates(summary, amount)))
  }
  console.log(`${markdown(head, cells)}\n`)
}

console.log(`${values.shape}\n`)
await timed(
  ['threads', ...contexts.map((past) => `decode at ${past}`), `prompt of ${prompts[0]}`],
  [
    ...contexts.map((past) => ({ amount: 1000, measure: (run: DecoderRun) => run.step(past, steps) })),
    { amount: prompts[0]! * 1000, measure: (run: DecoderRun) => run.prefill(prompts[0]!, 256) },
  ],
  opened,
  rounds,
)
const spinning = opened.find(({ name }) => name.endsWith('spinning'))!
const byChunk = chunks.map((chunk) => ({
  name: String(chunk),
  prompts: prompts.map((tokens) => ({ tokens, measure: () => spinning.run.prefill(tokens, chunk) })),
}))
const rows = byChunk.map(({ name }) => [name])
for (const [which, tokens] of prompts.entries()) {
  const summaries = await inTurns(
    byChunk.map(({ name, prompts }) => ({ name, measure: prompts[which]!.measure })),
    Math.min(3, rounds),
  )
  for (const [index, summary] of summaries.entries()) rows[index]!.push(pair(rates(summary, tokens * 1000)))
}
console.log(markdown(['tokens in a chunk', ...prompts.map((tokens) => `prompt of ${tokens}`)], rows))
for (const { run, end } of opened) {
  await run.dispose()
  await end()
}
