// A scale for the salient channels and nothing else: section 3.2 of the AWQ paper (arXiv 2306.00978), measured.
import { applyScale, type BlockState, type Method, rtn, specOf, statsOf, weightOf } from '@awq/core'
import { effectiveGroupSize, groupRanges, groupsPerRow, type QuantSpec, roundRtn } from '@awq/quantize'
import { scaleColumns, sharedMagnitude } from '@awq/search'
import { dequantize } from '@awq/tensor'

type ScaleGroup = BlockState['scaleGroups'][number]

/** Sums over all groups of weights that hold a salient channel. Delta is a group's step, (high - low) / (2^bits - 1). */
export interface StepChanges {
  /** Groups of all linears that are scaled. */
  all: number
  /** Those that hold a salient channel. */
  groups: number
  /** Those whose delta is another after scaling. */
  changed: number
  /** Of delta' / delta. */
  ratios: number
  /** Of |Q(w) - w| and |Q(w s) / s - w| over all salient weights. */
  errorBefore: number
  errorAfter: number
}

/**
 * Columns to scale: the `fraction` of the producer's channels with the largest mean |x|. Under grouped queries a value
 * channel makes several columns, which share its scale.
 */
function salientColumns(magnitude: Float32Array, producerRow: Int32Array, fraction: number): Uint8Array {
  const magnitudes = new Map<number, number>()
  producerRow.forEach((row, column) => void magnitudes.set(row, magnitude[column] as number))
  const rows = [...magnitudes].sort(([, one], [, other]) => other - one).map(([row]) => row)
  const chosen = new Set(rows.slice(0, Math.ceil(fraction * rows.length)))
  return Uint8Array.from(producerRow, (row) => (chosen.has(row) ? 1 : 0))
}

/** Adds what scaling does to one matrix [out, width]. */
function measure(
  weight: Float32Array,
  scaled: Float32Array,
  scale: Float32Array,
  salient: Uint8Array,
  spec: QuantSpec,
  sums: StepChanges,
): void {
  const width = scale.length
  const shape = [weight.length / width, width] as const
  const size = effectiveGroupSize(spec.groupSize, width)
  const groups = groupsPerRow(spec.groupSize, width)
  const holds = Array.from({ length: groups }, (_, group) =>
    salient.subarray(group * size, (group + 1) * size).includes(1),
  )
  const [before, after] = [groupRanges(weight, shape, spec), groupRanges(scaled, shape, spec)]
  sums.all += shape[0] * groups
  for (let at = 0; at < before.low.length; at++) {
    if (!holds[at % groups]) continue
    const stepOf = ({ low, high }: typeof before) => (high[at] as number) - (low[at] as number)
    sums.groups++
    if (stepOf(before) !== stepOf(after)) sums.changed++
    sums.ratios += stepOf(before) === 0 ? 1 : stepOf(after) / stepOf(before)
  }
  const [plain, found] = [weight, scaled].map((values) => dequantize(roundRtn(values, shape, spec))) as [
    Float32Array,
    Float32Array,
  ]
  for (let at = 0; at < weight.length; at++) {
    if (salient[at % width] === 0) continue
    sums.errorBefore += Math.abs((plain[at] as number) - (weight[at] as number))
    sums.errorAfter += Math.abs((found[at] as number) / (scale[at % width] as number) - (weight[at] as number))
  }
}

/** Round to nearest after multiplying the salient channels by `factor`; adds to `sums` while it runs. */
export function scaledRtn(name: string, factor: number, fraction: number, sums: StepChanges): Method {
  const scaleGroup = (block: BlockState, group: ScaleGroup) => {
    const { meanAbs } = statsOf(block, group.site)
    const salient = salientColumns(sharedMagnitude(meanAbs, group.producerRow), group.producerRow, fraction)
    const scale = Float32Array.from(salient, (chosen) => (chosen === 1 ? factor : 1))
    for (const linear of group.consumers) {
      const weight = weightOf(block, linear)
      measure(weight, scaleColumns(weight, scale), scale, salient, specOf(block, linear), sums)
    }
    applyScale(block, group, { scale })
  }
  return {
    ...rtn(),
    name,
    statistics: true,
    passes: [
      {
        name: 'scale-salient',
        options: { factor, fraction },
        async run(block) {
          for (const group of block.scaleGroups) scaleGroup(block, group)
        },
      },
      ...rtn().passes,
    ],
  }
}
