// What a step costs by the form of the output head: bits, groups, zero points.
//
//   node --conditions=@awq/source benchmarks/kernels/head.ts [--shape smollm2-135m] [--rounds 9] [--threads 2]
//
// The head alone on one token: milliseconds and GB/s of what is stored (codes, float32 scales, zero points), best / median.
// Several heads take turns, so that none is read from the processor's cache.
import { parseArgs } from 'node:util'
import { createEngine } from '@awq/ort'
import { sizesOf } from './decoder-graph.ts'
import { describeForm, type LinearForm } from './linear.ts'
import { type LinearRun, openLinears } from './linear-run.ts'
import { inTurns, markdown, pair, rates } from './rounds.ts'

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: 'smollm2-135m' },
    rounds: { type: 'string', default: '9' },
    threads: { type: 'string' },
  },
})

const forms: LinearForm[] = [
  { bits: 16, block: 64, symmetric: false },
  ...([8, 4] as const).flatMap((bits) =>
    ([64, 128] as const).flatMap((block) => [false, true].map((symmetric) => ({ bits, block, symmetric }))),
  ),
]
const engine = await createEngine({ threads: values.threads ? Number(values.threads) : undefined, engine: 'native' })
const { hidden, vocabulary } = sizesOf(values.shape)
const opened: LinearRun[] = []
for (const form of forms) opened.push(await openLinears(engine, [hidden, vocabulary], form))
const times = await inTurns(
  opened.map((run, index) => ({ name: describeForm(forms[index]!), measure: () => run.one(4) })),
  Number(values.rounds),
)
console.log(`head of ${values.shape}: ${hidden} x ${vocabulary}, ${engine.threads} threads`)
console.log(
  markdown(
    ['head', 'MB', 'ms', 'GB/s'],
    times.map((time, index) => {
      const { bytes } = opened[index]!
      return [time.name, (bytes / 1e6).toFixed(1), pair(time, 2), pair(rates(time, bytes / 1e6), 1)]
    }),
  ),
)
for (const run of opened) await run.dispose()
await engine.dispose()
