// Measures how the time of `awq quantize` grows with calibration samples and with the model's layers, fits a line to each,
// and draws both.
//
//   npx node --conditions=@awq/source benchmarks/quantize/scaling.ts MODEL_DIR CALIBRATION.txt [options]
import { rm, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { median } from '../runtime/peers/job.ts'
import { contestant } from './contestants.ts'
import { fitLine, type LinearFit, type Point } from './linear-fit.ts'
import { measure, type Run } from './measure.ts'
import { type Panel, plot } from './plot.ts'
import { scratchFolder } from './scratch.ts'
import { layerCount, truncateModel } from './truncate.ts'

const usage = `usage: scaling.ts MODEL_DIR CALIBRATION.txt [options]
  --samples A,B    calibration samples, with all layers (default 16,32,64,128)
  --layers A,B     first layers of the model, with the first number of samples (default 6,12,18,24,30 as far as it goes)
  --method NAME    (default awq), --bits B (default 4), --group-size G (default 64), --length N (default 512)
  --rounds N       turns (default 1); points are medians
  --threads N      (default one per core)
  --svg FILE       draw the points there`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    samples: { type: 'string', default: '16,32,64,128' },
    layers: { type: 'string', default: '6,12,18,24,30' },
    method: { type: 'string', default: 'awq' },
    bits: { type: 'string', default: '4' },
    'group-size': { type: 'string', default: '64' },
    length: { type: 'string', default: '512' },
    rounds: { type: 'string', default: '1' },
    threads: { type: 'string', default: String(cpus().length) },
    svg: { type: 'string' },
  },
})
const [whole, calibration] = positionals.map((path) => resolve(path))
if (!whole || !calibration) {
  console.error(usage)
  process.exit(2)
}
const numbers = (text: string): number[] => text.split(',').map(Number)
const ours = contestant(`ours-${values.method}`)
const setting = { bits: Number(values.bits), groupSize: Number(values['group-size']) }
const scratch = scratchFolder()

/** One run of the first `layers` layers. */
const take = async (layers: number, samples: number): Promise<Run> => {
  const model = layers === all ? whole : join(scratch, `model-${layers}`)
  const output = join(scratch, 'quantized')
  const task = {
    ...{ model, calibration, tokens: '', samples, length: Number(values.length), threads: Number(values.threads) },
    ...{ setting, output, save: false },
  }
  // The task has no tokens: `awq` reads the text itself.
  const run = await measure(ours.invocation(task, { autoawq: '', 'llm-compressor': '' }), ours.variables(task))
  await rm(output, { recursive: true })
  const other = (run.otherCores ?? 0) > 0.1 ? `, beside ${run.otherCores!.toFixed(1)} cores of other work` : ''
  console.error(`${layers} layers, ${samples} samples: ${run.seconds.toFixed(1)} s${other}`)
  return run
}

const table = (label: string, points: readonly Point[], runs: readonly Run[], fit: LinearFit): string => {
  const lines = points.map(({ x, y }, i) => {
    const off = y - (fit.intercept + fit.slope * x)
    const memory = runs[i]!.peakRssBytes / 2 ** 20
    return `| ${x} | ${y.toFixed(1)} | ${off >= 0 ? '+' : ''}${off.toFixed(1)} | ${memory.toFixed(0)} |`
  })
  const line = `${fit.intercept.toFixed(1)} s + ${fit.slope.toFixed(2)} s for each; at most ${(100 * fit.worst).toFixed(1)}% off`
  return [`| ${label} | s | off the line | peak RSS, MiB |`, '| ---: | ---: | ---: | ---: |', ...lines, '', line].join(
    '\n',
  )
}

const all = await layerCount(whole)
const samples = numbers(values.samples)
const layers = numbers(values.layers).filter((count) => count <= all)
const plan = [
  ...samples.map((count) => ({ layers: all, samples: count })),
  ...layers.map((count) => ({ layers: count, samples: samples[0]! })),
].filter((point, i, points) => points.findIndex((p) => p.layers === point.layers && p.samples === point.samples) === i)
for (const count of layers) if (count < all) await truncateModel(whole, count, join(scratch, `model-${count}`))
const runs = new Map<string, Run[]>()
const keyOf = (point: { layers: number; samples: number }): string => `${point.layers} ${point.samples}`
for (let round = 0; round < Number(values.rounds); round++)
  for (const point of plan) {
    const run = await take(point.layers, point.samples)
    runs.set(keyOf(point), [...(runs.get(keyOf(point)) ?? []), run])
  }
const series = (
  title: string,
  xLabel: string,
  points: readonly { x: number; layers: number; samples: number }[],
): Panel => {
  const own = points.map((point) => runs.get(keyOf(point))!)
  const measured = points.map(({ x }, i) => ({ x, y: median(own[i]!.map(({ seconds }) => seconds)) }))
  const fit = fitLine(measured)
  const first = own.map((rounds) => rounds[0]!)
  console.log(`${title}\n\n${table(xLabel, measured, first, fit)}\n`)
  return { title, xLabel, yLabel: 'seconds', points: measured, fit }
}
const length = `${values.length} tokens`
const panels = [
  series(
    `${values.method}, ${all} layers`,
    `samples of ${length}`,
    samples.map((x) => ({ x, layers: all, samples: x })),
  ),
  series(
    `${values.method}, ${samples[0]} samples of ${length}`,
    'layers',
    layers.map((x) => ({ x, layers: x, samples: samples[0]! })),
  ),
]
if (values.svg) await writeFile(values.svg, plot(panels))
