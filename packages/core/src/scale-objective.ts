/**
 * What the scale search minimizes.
 * @module
 */
import type { ScaleGroup } from '@awq/models'
import type { EvaluateScales } from '@awq/search'
import type { BlockState } from './block-state.ts'
import { int8Objective } from './int8-objective.ts'

/** A measure of scales. One of your own is any object of this form. */
export interface ScaleObjective {
  readonly name: string
  /** What else decides the result, as JSON: a run is resumed only with the same options. */
  readonly options?: object | undefined
  /**
   * Prepares the measure for one scale group of a block; absent: the squared error of the linears' outputs, on their
   * Gram matrix.
   */
  open?(block: BlockState, group: ScaleGroup): Promise<EvaluateScales>
}

/** The objectives that have a name. */
export const scaleObjectives: Readonly<Record<string, () => ScaleObjective>> = {
  linear: () => ({ name: 'linear' }),
  'int8-activations': int8Objective,
}
