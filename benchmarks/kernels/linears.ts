// How fast a linear layer of 4 bits is read, for every matrix of a decoder's layer: groups, with zero points and without.
//
//   node --conditions=@awq/source benchmarks/kernels/linears.ts [--shape smollm2-135m] [--rounds 9] [--accuracy 4] [--threads 2]
//
// One token. GB/s of what is stored (codes, float32 scales, zero points), best / median, and the time of all layers.
import { parseArgs } from 'node:util'
import { createEngine } from '@awq/ort'
import { sizesOf } from './decoder-graph.ts'
import { describeForm, type LinearForm } from './linear.ts'
import { type LinearRun, openLinears } from './linear-run.ts'
import { inTurns, markdown, pair, rates } from './rounds.ts'

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: 'smollm2-135m' },
    accuracy: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '9' },
    threads: { type: 'string' },
  },
})

const { hidden, inner, heads, kvHeads, headDim, layers } = sizesOf(values.shape)
const matrices: readonly (readonly [name: string, inputs: number, outputs: number])[] = [
  ['query, key, value', hidden, (heads + 2 * kvHeads) * headDim],
  ['output', heads * headDim, hidden],
  ['gate and up', hidden, 2 * inner],
  ['down', inner, hidden],
]
const accuracy = Number(values.accuracy)
const forms: LinearForm[] = ([32, 64, 128] as const).flatMap((block) =>
  [false, true].map((symmetric) => ({ bits: 4, block, symmetric, accuracy })),
)
const engine = await createEngine({ threads: values.threads ? Number(values.threads) : undefined, engine: 'native' })
const cells = forms.map((form) => [describeForm(form)])
const sums = forms.map(() => 0)
for (const [, inputs, outputs] of matrices) {
  const opened: LinearRun[] = []
  for (const form of forms) opened.push(await openLinears(engine, [inputs, outputs], form))
  const times = await inTurns(
    opened.map((run, index) => ({ name: describeForm(forms[index]!), measure: () => run.one(4) })),
    Number(values.rounds),
  )
  for (const [index, time] of times.entries()) {
    sums[index]! += time.median * layers
    cells[index]!.push(pair(rates(time, opened[index]!.bytes / 1e6), 1))
  }
  for (const run of opened) await run.dispose()
}
console.log(`${values.shape}, accuracy level ${accuracy}, ${engine.threads} threads`)
console.log(
  markdown(
    ['weights', ...matrices.map(([name, inputs, outputs]) => `${name} ${inputs} x ${outputs}`), 'all layers, ms'],
    cells.map((row, index) => [...row, sums[index]!.toFixed(2)]),
  ),
)
await engine.dispose()
