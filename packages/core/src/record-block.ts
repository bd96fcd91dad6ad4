/**
 * What the passes of a method did to one block, measured against the block as it was.
 * @module
 */
import type { ActivationStats } from '@awq/calibration'
import { type BlockWeights, type LinearSpec, linearsBySite } from '@awq/models'
import { groupRanges, type QuantSpec, roundRtn, stepsOf } from '@awq/quantize'
import { gramForms } from '@awq/search'
import { dequantize, float16BitsToFloat32, type QuantizedMatrix } from '@awq/tensor'
import { type BlockState, specOf, weightOf } from './block-state.ts'
import type { BlockRecord, InputRecord, LinearRecord } from './record.ts'
import { codedWeightOf } from './salient.ts'

/** Channels listed of each input. */
const LISTED_CHANNELS = 8

/** The clip histogram has a bin for every twentieth of the full range. */
const CLIP_STEPS = 20

/** What the channels of each site were divided by. */
type ChannelScales = ReadonlyMap<string, Float32Array>

/** What a block was before the first pass. */
export interface OriginalBlock {
  readonly weights: BlockWeights
  /** Statistics of each site; empty for methods without statistics. */
  readonly stats: ReadonlyMap<string, ActivationStats>
}

interface RoundedLinear extends LinearSpec {
  readonly matrix: QuantizedMatrix
}

/**
 * Records a block after its last pass.
 * @throws AwqError as the engine; `signal.reason` when aborted
 */
export const recordBlock = async (block: BlockState, original: OriginalBlock): Promise<BlockRecord> => {
  const linears: Omit<LinearRecord, 'bytes'>[] = []
  const inputs: InputRecord[] = []
  const scales: ChannelScales = new Map(
    [...original.stats].map(([site, stats]) => [site, channelScale(stats, block.stats.get(site) ?? stats)]),
  )
  for (const [site, readers] of linearsBySite(block.linears)) {
    const stats = original.stats.get(site)
    const scale = scales.get(site)
    if (stats && scale) inputs.push(inputRecord(block.layer, readers, stats, scale))
    const rounded = readers.flatMap((linear) => {
      const matrix = block.quantized.get(linear.name)
      return matrix ? [{ ...linear, matrix }] : []
    })
    const losses = stats ? await lossesOf(block, original.weights, rounded, stats, scales) : []
    for (const [index, { name, shape, matrix }] of rounded.entries()) {
      const weight = weightOf(block, name)
      const spec = specOf(block, name)
      const { bits, groupSize, symmetric } = spec
      linears.push({
        ...{ layer: block.layer, name, shape, bits, groupSize, symmetric },
        weightError: weightError(weight, matrix),
        ...losses[index],
        clip: clipHistogram(codedWeightOf(block, name), shape, spec, matrix),
      })
    }
  }
  return { linears, inputs }
}

/**
 * What each channel of a site was divided by, all passes together: the ratio of the statistics, which every fold changes
 * with the weights. 1 where a channel was always zero: nothing depends on its scale then.
 */
const channelScale = (before: ActivationStats, after: ActivationStats): Float32Array =>
  before.meanAbs.map((value, channel) => (value > 0 ? value / after.meanAbs[channel]! : 1))

const median = (values: Float32Array): number => values.slice().sort()[values.length >> 1]!

const inputRecord = (
  layer: number,
  readers: readonly LinearSpec[],
  { meanAbs }: ActivationStats,
  scale: Float32Array,
): InputRecord => {
  const largest = Array.from(meanAbs.keys()).sort((a, b) => meanAbs[b]! - meanAbs[a]! || a - b)
  return {
    layer,
    readers: readers.map(({ name }) => name),
    median: median(meanAbs),
    channels: largest
      .slice(0, LISTED_CHANNELS)
      .map((index) => ({ index, meanAbs: meanAbs[index]!, scale: scale[index]! })),
  }
}

type Losses = Required<Pick<LinearRecord, 'power' | 'lossBefore' | 'lossAfter'>>

/** Of each linear of a site: power, loss of plain rounding and loss of what is stored, all on the original weight and Gram. */
const lossesOf = async (
  block: BlockState,
  weights: BlockWeights,
  linears: readonly RoundedLinear[],
  { gram, width }: ActivationStats,
  scales: ChannelScales,
): Promise<Losses[]> => {
  const matrices = linears.flatMap(({ name, shape, site, matrix }) => {
    const original = weights.get(`${name}.weight`)!
    const plain = () => dequantize(roundRtn(original, shape, specOf(block, name), undefined, { name }))
    const stored = () => unfold(dequantize(matrix), rowScale(block, name, shape[0], scales), scales.get(site)!)
    return [() => original, () => subtract(plain(), original), () => subtract(stored(), original)]
  })
  const forms = await gramForms(block.engine, gram, width, matrices, { signal: block.signal })
  return linears.map((_, index) => {
    const [power, lossBefore, lossAfter] = forms.slice(3 * index) as [number, number, number]
    return { power, lossBefore, lossAfter }
  })
}

/** a - b, in a. */
const subtract = (a: Float32Array, b: Float32Array): Float32Array => {
  for (let index = 0; index < a.length; index++) a[index]! -= b[index]!
  return a
}

/**
 * What each row of a linear was divided by, all passes together: the scale of the input that its outputs make. 1 for rows
 * whose outputs were always zero, and for linears that took no inverse scale.
 */
const rowScale = (block: BlockState, linear: string, rows: number, scales: ChannelScales): Float32Array => {
  const factors = new Float32Array(rows).fill(1)
  for (const { producer, site, producerRow } of block.scaleGroups) {
    const scale = producer === linear ? scales.get(site) : undefined
    if (scale) for (const [column, row] of producerRow.entries()) if (scale[column] !== 1) factors[row] = scale[column]!
  }
  return factors
}

/** Undoes the folds of a dequantized matrix, in place: what is left differs from the original by the rounding alone. */
const unfold = (values: Float32Array, rows: Float32Array, columns: Float32Array): Float32Array => {
  const inverse = columns.map((factor) => 1 / factor)
  for (const [row, factor] of rows.entries()) {
    const start = row * columns.length
    for (let column = 0; column < columns.length; column++) values[start + column]! *= factor * inverse[column]!
  }
  return values
}

const weightError = (weight: Float32Array, matrix: QuantizedMatrix): number => {
  const values = dequantize(matrix)
  let error = 0
  let power = 0
  for (let index = 0; index < values.length; index++) {
    const exact = weight[index]!
    error += (values[index]! - exact) ** 2
    power += exact ** 2
  }
  return power > 0 ? error / power : 0
}

/** How much of their groups' full ranges the codes cover; read from the stored scales, so that any rounding has it. */
const clipHistogram = (
  weight: Float32Array,
  shape: readonly [number, number],
  spec: QuantSpec,
  { scales }: QuantizedMatrix,
): number[] => {
  const counts = new Array<number>(CLIP_STEPS + 1).fill(0)
  const { low, high } = groupRanges(weight, shape, spec)
  const steps = stepsOf(spec.bits)
  for (let group = 0; group < low.length; group++) {
    const full = spec.symmetric ? 2 * Math.max(-low[group]!, high[group]!) : high[group]! - low[group]!
    if (full === 0) continue
    const covered = (float16BitsToFloat32(scales[group]!) * steps) / full
    counts[Math.min(CLIP_STEPS, Math.round(covered * CLIP_STEPS))]!++
  }
  return counts
}
