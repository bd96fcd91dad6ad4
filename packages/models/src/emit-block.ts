/**
 * One decoder block as ONNX nodes, from the steps of its description.
 * @module
 */
import type { Graph } from '@awq/onnx'
import type { Attended } from './attention.ts'
import type { BlockDescription } from './describe-block.ts'
import { emitSteps, type StepsContext } from './emit-steps.ts'
import type { Residual } from './norm.ts'
import type { SequenceInputs } from './sequence.ts'

/** What surrounds a block in its graph. */
export interface BlockContext extends StepsContext {
  /** The residual stream, `[batch, sequence, hidden]`. */
  readonly hidden: Residual
  readonly sequence: SequenceInputs
}

/** The residual stream after the block, and the keys and values for the cache. */
export interface EmittedBlock extends Omit<Attended, 'output'> {
  readonly hidden: Residual
}

/** Adds one block to a graph. */
export const emitBlock = (graph: Graph, block: BlockDescription, context: BlockContext): EmittedBlock => {
  const { steps, config } = block
  const given = new Map([['hidden', context.hidden]])
  const { residual, attended } = emitSteps(graph, { steps, name: config.modelType }, given, {
    results: ['hidden'],
    ...context,
  })
  return { hidden: residual('hidden'), key: attended!.key, value: attended!.value }
}
