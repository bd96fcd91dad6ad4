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
// All are open before the first is timed: a process is slower in its first seconds.
const subjects: { readonly form: number; readonly run: LinearRun }[] = []
for (const [, inputs, outputs] of matrices)
  for (const [form, made] of forms.entries())
    subjects.push({ form, run: await openLinears(engine, [inputs, outputs], made) })
const times = await inTurns(
  subjects.map(({ form, run }) => ({ name: describeForm(forms[form]!), measure: () => run.one(2) })),
  Number(values.rounds),
)
const cells = forms.map((form) => [describeForm(form)])
const sums = forms.map(() => ({ best: 0, median: 0 }))
for (const [index, time] of times.entries()) {
  const { form, run } = subjects[index]!
  cells[form]!.push(pair(rates(time, run.bytes / 1e6), 1))
  sums[form]!.best += time.best * layers
  sums[form]!.median += time.median * layers
}
console.log(`${values.shape}, accuracy level ${accuracy}, ${engine.threads} threads`)
console.log(
  markdown(
    ['weights', ...matrices.map(([name, inputs, outputs]) => `${name} ${inputs} x ${outputs}`), 'all layers, ms'],
    cells.map((row, index) => [...row, pair(sums[index]!, 2)]),
  ),
)
for (const { run } of subjects) await run.dispose()
await engine.dispose()
