/**
 * One decoder block as ONNX nodes, from the steps of its architecture table.
 * @module
 */
import type { Graph, Value } from '@awq/onnx'
import { AwqError } from '@awq/tensor'
import { emitActivation } from './activation.ts'
import {
  type Attended,
  type AttentionForm,
  emitAttention,
  type PastKeyValue,
  type SequenceInputs,
} from './attention.ts'
import type { BlockBinding } from './binding.ts'
import type { ModelDescription } from './describe.ts'

/** What surrounds a block in its graph. */
export interface BlockContext {
  /** The residual stream, float32 `[batch, sequence, hidden]`. */
  readonly hidden: Value
  readonly binding: BlockBinding
  readonly attention: AttentionForm
  readonly sequence: SequenceInputs
  readonly past?: PastKeyValue
  /** Called once for each value that linears read, before they do. */
  readonly observe?: (site: string, value: Value) => void
}

/** The residual stream after the block, and the keys and values for the cache. */
export interface EmittedBlock extends Omit<Attended, 'output'> {
  readonly hidden: Value
}

/** RMS norm over the last axis: `x / sqrt(mean(x^2) + epsilon) * weight`. */
export const emitRmsNorm = (graph: Graph, x: Value, weight: Value, epsilon: number): Value =>
  graph.add('SimplifiedLayerNormalization', [x, weight], { axis: -1, epsilon, stash_type: 1 })

/** Adds one block to a graph. */
export const emitBlock = (graph: Graph, description: ModelDescription, context: BlockContext): EmittedBlock => {
  const { config, steps, linears } = description
  const { binding, sequence, past, observe } = context
  const values = new Map<string, Value>([['hidden', context.hidden]])
  const done = new Set<string>()
  let attended: Attended | undefined
  const read = (name: string): Value => {
    const value = values.get(name)
    if (!value)
      throw new AwqError('CONFIG', `${config.modelType}: a step of the block reads "${name}" before it is made`)
    return value
  }
  for (const step of steps) {
    switch (step.step) {
      case 'rmsNorm': {
        const weight = binding.vector(graph, `${step.weight}.weight`, config.hiddenSize)
        values.set(step.to, emitRmsNorm(graph, read(step.from), weight, config.normEpsilon))
        break
      }
      case 'linear': {
        if (done.has(step.weight)) break
        const siblings = linears.filter((linear) => linear.site === step.from)
        const x = read(step.from)
        observe?.(step.from, x)
        for (const [i, y] of binding.linears(graph, x, siblings).entries()) {
          values.set(siblings[i]!.output, y)
          done.add(siblings[i]!.name)
        }
        break
      }
      case 'attention': {
        const projections = [read(step.query), read(step.key), read(step.value)] as const
        attended = emitAttention(graph, context.attention, config, projections, sequence, past)
        values.set(step.to, attended.output)
        break
      }
      case 'activation':
        values.set(step.to, emitActivation(graph, config.activation, read(step.from)))
        break
      case 'multiply':
        values.set(step.to, graph.add('Mul', [read(step.left), read(step.right)]))
        break
      case 'add':
        values.set(step.to, graph.add('Add', [read(step.left), read(step.right)]))
        break
    }
  }
  if (!attended) throw new AwqError('CONFIG', `${config.modelType}: the block has no attention step`)
  return { hidden: read('hidden'), key: attended.key, value: attended.value }
}
