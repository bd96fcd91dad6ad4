// What the key and value cache's type costs, by context: float32, float16, int8 and int4, with and without the flash path.
//
//   node --conditions=@awq/source benchmarks/kernels/cache.ts [--shape smollm2-135m] [--contexts 16,512,1500,4000]
//     [--prefill 512,1500] [--only TEXT] [--rounds 5] [--steps 16] [--threads 2]
//
// Tokens/s, best / median of the rounds. Weights are random and different in every layer.
import { parseArgs } from 'node:util'
import { createEngine } from '@awq/ort'
import { type DecoderForm, sizesOf, usualForm } from './decoder-graph.ts'
import { openDecoder } from './decoder-run.ts'
import { inTurns, markdown, pair, rates } from './rounds.ts'

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: 'smollm2-135m' },
    contexts: { type: 'string', default: '16,512,1500,4000' },
    prefill: { type: 'string', default: '512,1500' },
    chunk: { type: 'string', default: '256' },
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '5' },
    steps: { type: 'string', default: '16' },
    threads: { type: 'string' },
  },
})

const numbers = (list: string): number[] => list.split(',').filter(Boolean).map(Number)
const noFlash = { flash: false, scaleInTables: true }
const forms: Readonly<Record<string, Partial<DecoderForm>>> = {
  'float32, flash': {},
  'float32, no flash': { flash: false },
  'float32, no flash, scale 1': noFlash,
  'int8 per channel, flash': { cache: 'int8' },
  'int8 per channel, no flash, scale 1': { cache: 'int8', ...noFlash },
  'int8 per tensor, flash': { cache: 'int8', cacheScales: 'PER_TENSOR' },
  'int8 per tensor, no flash, scale 1': { cache: 'int8', cacheScales: 'PER_TENSOR', ...noFlash },
  'int4 per channel, no flash, scale 1': { cache: 'int4', ...noFlash },
  'float16 graph': { cache: 'float16' },
}

const engine = await createEngine({ threads: values.threads ? Number(values.threads) : undefined, engine: 'native' })
const contexts = numbers(values.contexts)
const prompts = numbers(values.prefill)
const steps = Number(values.steps)
const rounds = Number(values.rounds)
const capacity = Math.max(...contexts.map((past) => past + steps + 3), ...prompts)
const opened = []
for (const [name, form] of Object.entries(forms)) {
  if (values.only !== '' && !values.only.split(';').includes(name)) continue
  opened.push({
    name,
    run: await openDecoder(engine, sizesOf(values.shape), { ...usualForm, ...form }, capacity),
  })
}

const columns: string[][] = []
for (const past of contexts) {
  const times = await inTurns(
    opened.map(({ name, run }) => ({ name, measure: () => run.step(past, steps) })),
    rounds,
  )
  columns.push(times.map((time) => pair(rates(time, 1000))))
}
for (const tokens of prompts) {
  const chunk = Number(values.chunk)
  const times = await inTurns(
    opened.map(({ name, run }) => ({ name, measure: () => run.prefill(tokens, chunk) })),
    Math.min(3, rounds),
  )
  columns.push(times.map((time) => pair(rates(time, tokens * 1000))))
}
const head = ['cache', ...contexts.map((past) => `decode at ${past}`), ...prompts.map((n) => `prompt of ${n}`)]
console.log(`${values.shape}, ${engine.threads} threads, ${(opened[0]!.run.bytes / 1e6).toFixed(0)} MB a step`)
console.log(
  markdown(
    head,
    opened.map(({ name }, row) => [name, ...columns.map((column) => column[row]!)]),
  ),
)
for (const { run } of opened) await run.dispose()
await engine.dispose()
