/**
 * What the scale search minimizes.
 * @module
 */
import type { ScaleGroup } from '@awq/models'
import type { EvaluateScales, GridRule } from '@awq/search'
import { blockObjective } from './block-objective.ts'
import type { BlockState } from './block-state.ts'
import { int8Objective } from './int8-objective.ts'

/** A measure of scales. One of your own is any object of this form. */
export interface ScaleObjective {
  readonly name: string
  /** What else decides the result, as JSON: a run is resumed only with the same options. */
  readonly options?: object | undefined
  /** About how many tokens of the block's inputs it wants in `BlockState.inputs`; default none. */
  readonly inputTokens?: number | undefined
  /**
   * Prepares the measure for one scale group of a block. Absent, or undefined for a group: the squared error of the
   * linears' outputs, on their Gram matrix. `rule` is that of `scalePass`.
   */
  open?(block: BlockState, group: ScaleGroup, rule?: GridRule): Promise<EvaluateScales | undefined>
}

/** The objectives that have a name. */
export const scaleObjectives: Readonly<Record<string, () => ScaleObjective>> = {
  linear: () => ({ name: 'linear' }),
  block: blockObjective,
  'int8-activations': int8Objective,
}
