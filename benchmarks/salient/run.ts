// Tables 1 and 2 of the AWQ paper (arXiv 2306.00978) on any model: perplexity when a share of the input channels stays
// float16, chosen in three ways, and when the salient channels are multiplied by a factor before rounding instead.
//
//   node --conditions=@awq/source benchmarks/salient/run.ts MODEL_DIR TEXT [--bits 3] [--group-size 128]
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { type CompareRow, compare, keepSalient, type Method, rtn, type SalientBy } from '@awq/core'
import { type StepChanges, scaledRtn } from './scaling.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    calibration: { type: 'string' },
    bits: { type: 'string', default: '3' },
    'group-size': { type: 'string', default: '128' },
    symmetric: { type: 'boolean', default: false },
    samples: { type: 'string', default: '32' },
    length: { type: 'string', default: '512' },
    window: { type: 'string', default: '2048' },
    windows: { type: 'string' },
    shares: { type: 'string', default: '0.001,0.01,0.03' },
    factors: { type: 'string', default: '1,1.25,1.5,2,4' },
    scaled: { type: 'string', default: '0.01' },
    seed: { type: 'string', default: '0' },
  },
})
const [model, textFile] = positionals
if (model === undefined || textFile === undefined) {
  console.error(`usage: run.ts MODEL_DIR TEXT
  --calibration FILE  text, JSONL or parquet, or the name of a data set (default: a small text that comes along)
  --bits B --group-size G --symmetric  of the linears (default 3, 128); head and embedding stay at 16 bits
  --samples N --length N               calibration blocks and their tokens (default 32, 512)
  --window N --windows N               tokens of a window of TEXT, and how many windows (default 2048, all)
  --shares A,B,C      of the channels that stay float (default 0.001,0.01,0.03)
  --factors A,B,C     of the salient channels (default 1,1.25,1.5,2,4)    --scaled SHARE of them (default 0.01)
  --seed N            of the random choice (default 0)`)
  process.exit(2)
}

const numbers = (list: string): number[] => list.split(',').map(Number)
const percent = (share: number, digits = 1): string => `${(share * 100).toFixed(digits)}%`
const [shares, factors] = [numbers(values.shares), numbers(values.factors)]
const scaledShare = Number(values.scaled)
const ways: readonly SalientBy[] = ['activation', 'weight', 'random']

const labelOf = (by: SalientBy): string => (by === 'random' ? 'at random' : `by ${by}`)
const kept = (by: SalientBy, share: number): string => `${percent(share)} ${labelOf(by)}`
const scaled = (factor: number): string => `s = ${factor}`
const changes = new Map<number, StepChanges>(
  factors.map((factor) => [factor, { all: 0, groups: 0, changed: 0, ratios: 0, errorBefore: 0, errorAfter: 0 }]),
)
const seed = Number(values.seed)
const methods: Method[] = [
  { ...rtn(), name: 'none' },
  ...ways.flatMap((by) =>
    shares.map((fraction) => ({ ...keepSalient(rtn(), { fraction, by, seed }), name: kept(by, fraction) })),
  ),
  ...[...changes].map(([factor, sums]) => scaledRtn(scaled(factor), factor, scaledShare, sums)),
]

const rows = await compare({
  model,
  text: await readFile(textFile, 'utf8'),
  methods,
  bits: [Number(values.bits) as 2 | 3 | 4 | 8],
  groupSize: Number(values['group-size']),
  symmetric: values.symmetric,
  headBits: 16,
  embeddingBits: 16,
  ...(values.calibration === undefined ? {} : { calibration: values.calibration }),
  samples: Number(values.samples),
  length: Number(values.length),
  window: Number(values.window),
  ...(values.windows === undefined ? {} : { maxWindows: Number(values.windows) }),
  onRow: ({ method, perplexity, bitsPerWeight }) =>
    console.error(`${method}: ${perplexity.toFixed(3)}, ${bitsPerWeight.toFixed(3)} bits per weight`),
})

const rowOf = (name: string): CompareRow => rows.find(({ method }) => method === name) as CompareRow
const perplexity = (name: string): string => rowOf(name).perplexity.toFixed(2)
const line = (cells: readonly string[]): void => console.log(`| ${cells.join(' | ')} |`)
const head = (cells: readonly string[]): void => {
  line(cells)
  line(cells.map((_, at) => (at === 0 ? '---' : '---:')))
}

const group = values['group-size'] === '-1' ? 'one group per row' : `group ${values['group-size']}`
console.log(
  `\n${values.bits} bits, ${group}${values.symmetric ? ', symmetric' : ''}; perplexity, bits per weight behind it\n`,
)
const withBits = (name: string): string => `${perplexity(name)} (${rowOf(name).bitsPerWeight.toFixed(2)})`
head(['channels kept in float16', ...shares.map((share) => percent(share))])
line(['all (the float model)', ...shares.map(() => withBits('float'))])
line(['none (RTN)', ...shares.map(() => withBits('none'))])
for (const by of ways) line([labelOf(by), ...shares.map((share) => withBits(kept(by, share)))])

const mean = (of: (sums: StepChanges) => number): string[] => [...changes.values()].map((sums) => of(sums).toFixed(3))
console.log(`\n${percent(scaledShare, 0)} of the channels, those of the largest activations, multiplied by s\n`)
head(['', ...factors.map(scaled)])
line(['groups whose step changed, of all', ...[...changes.values()].map(({ changed, all }) => percent(changed / all))])
line([
  'of those that hold such a channel',
  ...[...changes.values()].map(({ changed, groups }) => percent(changed / groups)),
])
line(["step'/step, mean", ...mean(({ ratios, groups }) => ratios / groups)])
line([
  "step'/step · 1/s: the error's ratio as expected",
  ...[...changes].map(([factor, { ratios, groups }]) => (ratios / groups / factor).toFixed(3)),
])
line([
  "the channels' weight error as measured, ratio",
  ...mean(({ errorAfter, errorBefore }) => errorAfter / errorBefore),
])
line(['perplexity', ...factors.map((factor) => perplexity(scaled(factor)))])
