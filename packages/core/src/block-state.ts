/**
 * One decoder block on its way through the passes of a method.
 * @module
 */
import type { ActivationStats } from '@awq/calibration'
import type {
  BlockDescription,
  BlockWeights,
  LinearSpec,
  ModelDescription,
  ScaleGroup,
  SequenceBatch,
} from '@awq/models'
import type { Engine } from '@awq/ort'
import type { GroupRanges, QuantSpec } from '@awq/quantize'
import { AwqError, type QuantizedMatrix } from '@awq/tensor'

/** What a scale pass did to one scale group; kept in the manifest and shown while quantizing. */
export interface FoldedGroup {
  readonly layer: number
  /** Name of the pass that folded it. */
  readonly pass?: string
  readonly producer: string
  readonly consumers: readonly string[]
  /** Strategy's own measure of the chosen scale: the exponent of `meanAbs^alpha` for the alpha grid. */
  readonly alpha?: number
  /** `tr(E G E^T)` with the chosen scale and with none. */
  readonly loss?: number
  readonly identityLoss?: number
}

/** The state that passes read and change. */
export interface BlockState {
  readonly layer: number
  readonly engine: Engine
  readonly description: ModelDescription
  /** What the block is made of; blocks that are alike share it. */
  readonly structure: BlockDescription
  readonly linears: readonly LinearSpec[]
  readonly scaleGroups: readonly ScaleGroup[]
  /** Float parameters of the block by base name with suffix; scale passes change them in place. */
  readonly weights: BlockWeights
  /** Statistics of each site that linears read; empty for methods without statistics. */
  readonly stats: Map<string, ActivationStats>
  /**
   * What the block is calibrated on: copies of residual streams `[1, length, hidden]`, about as many tokens as the passes
   * ask for with `inputTokens`.
   */
  readonly inputs: readonly SequenceBatch[]
  /** The same sequences as the quantized blocks before this one make them, when a pass asks for `quantizedInputs`. */
  readonly quantizedInputs: readonly SequenceBatch[]
  /** What the quantized block makes of them, when the last pass has run it: what the next block begins with. */
  quantizedOutputs?: readonly SequenceBatch[]
  /** Bits and group of each linear by base name. */
  readonly specs: ReadonlyMap<string, QuantSpec>
  /** Input channels that stay float, ascending, by site; see `codedWeightOf` and `codedStatsOf`. Empty for most methods. */
  readonly salient: Map<string, Int32Array>
  /** Clip ranges by base name; a linear without an entry uses the full range of its groups. */
  readonly ranges: Map<string, GroupRanges>
  /** The result, by base name: a rounding pass fills it. */
  readonly quantized: Map<string, QuantizedMatrix>
  readonly folded: FoldedGroup[]
  /** Books the time of a part of a pass as a stage of its own. */
  readonly time: <T>(stage: string, work: () => Promise<T>) => Promise<T>
  readonly signal: AbortSignal | undefined
}

/** One step of a method. A pass of your own is any object of this form. */
export interface Pass {
  readonly name: string
  /** What else decides the result, as JSON: a run is resumed only by passes with the same options. */
  readonly options?: object | undefined
  /** About how many tokens it wants in `BlockState.inputs`; default none. */
  readonly inputTokens?: number | 'all' | undefined
  /** True when it reads `BlockState.quantizedInputs`. */
  readonly quantizedInputs?: boolean | undefined
  run(block: BlockState): Promise<void>
}

/** The weight of a linear, `[out, in]`. */
export const weightOf = (block: BlockState, linear: string): Float32Array => {
  const weight = block.weights.get(`${linear}.weight`)
  if (!weight) throw new AwqError('INVALID_ARGUMENT', `block ${block.layer} has no linear ${linear}`)
  return weight
}

/** Bits and group of a linear. */
export const specOf = (block: BlockState, linear: string): QuantSpec => {
  const spec = block.specs.get(linear)
  if (!spec) throw new AwqError('INVALID_ARGUMENT', `block ${block.layer} has no linear ${linear}`)
  return spec
}

/** Statistics of a site. @throws AwqError `INVALID_ARGUMENT` when the method collects none */
export const statsOf = (block: BlockState, site: string): ActivationStats => {
  const stats = block.stats.get(site)
  if (!stats)
    throw new AwqError(
      'INVALID_ARGUMENT',
      `no activation statistics of ${site} in block ${block.layer}: set \`statistics: true\` on the method`,
    )
  return stats
}
