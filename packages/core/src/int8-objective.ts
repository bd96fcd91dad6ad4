/**
 * The objective for models that run with 8-bit activations.
 * @module
 */
import { int8Loss } from '@awq/search'
import { specOf } from './block-state.ts'
import { codedStatsOf, codedWeightOf } from './salient.ts'
import type { ScaleObjective } from './scale-objective.ts'

/**
 * `int8-activations`: the squared error of the linears' outputs when weights are quantized and activations are rounded as
 * accuracy `fast` rounds them, on the statistics' sample of at most 512 tokens ({@link int8Loss}). Channels that stay float
 * are left out of both, as they are when the model runs.
 */
export const int8Objective = (): ScaleObjective => ({
  name: 'int8-activations',
  open: async (block, group) =>
    int8Loss(
      block.engine,
      {
        weights: group.consumers.map((name) => {
          const data = codedWeightOf(block, name)
          return { data, rows: data.length / group.producerRow.length }
        }),
        width: group.producerRow.length,
        sample: codedStatsOf(block, group.site).sample,
        spec: specOf(block, group.consumers[0]!),
      },
      { signal: block.signal },
    ),
})
