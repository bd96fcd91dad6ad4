/**
 * What a model computes outside of its blocks: from embedded tokens to the first residual stream, and from the last one to
 * logits.
 * @module
 */
import { Graph, int64s, type Value } from '@awq/onnx'
import type { OuterBinding } from './binding.ts'
import type { ModelDescription } from './describe.ts'
import { emitSteps, type StepList } from './emit-steps.ts'
import type { Residual } from './norm.ts'
import type { SequenceInputs } from './sequence.ts'
import { makesOf } from './steps.ts'

const run = (
  graph: Graph,
  part: StepList,
  from: readonly [name: string, value: Residual],
  to: string,
  binding: OuterBinding,
  sequence?: SequenceInputs,
): Value => emitSteps(graph, part, new Map([from]), { binding, attention: 'plain', sequence, results: [to] }).read(to)

/** Embedded tokens `[batch, sequence, embeddingSize]` to the residual stream of the first block. */
export const emitEmbed = (
  graph: Graph,
  { outer }: ModelDescription,
  binding: OuterBinding,
  embedded: Value,
  sequence: SequenceInputs,
): Value => run(graph, outer.embed, ['hidden', embedded], 'hidden', binding, sequence)

/** The same for whole sequences from position 0, as a graph of its own: `embed` gives the embedded tokens, output `hidden`. */
export const emitEmbedding = (
  description: ModelDescription,
  binding: OuterBinding,
  embed: (graph: Graph) => Value,
): Graph => {
  const graph = new Graph(`${description.config.modelType}-embedding`)
  const sequence = { needs: description.sequence, ropes: [], masks: [], start: int64s(graph, [0]) }
  graph.output('hidden', emitEmbed(graph, description, binding, embed(graph), sequence))
  return graph
}

/** Final norm and head: the last residual stream to logits, float32 whatever the activations are. */
export const emitHead = (graph: Graph, description: ModelDescription, binding: OuterBinding, x: Residual): Value => {
  const { norm, logits } = description.outer
  const last = norm.steps.at(-1)
  const normed = run(graph, norm, ['hidden', x], last ? makesOf(last)[0]! : 'hidden', binding)
  const product = binding.head(graph, normed)
  const typed = product.dtype === 'float32' ? product : graph.add('Cast', [product], { to: 'float32' })
  return run(graph, logits, ['logits', typed], 'logits', binding)
}
