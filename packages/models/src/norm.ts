/**
 * Norms, and the residual stream that they read. A sum that is read by a norm alone is left to the norm: one operator
 * adds, normalises and gives the sum on.
 * @module
 */
import { floats, type Graph, reshape, scalar, type Value } from '@awq/onnx'
import type { VectorBinding } from './binding.ts'
import type { NormStep } from './steps.ts'

/** Two values that are to be added, `[batch, sequence, hidden]` each. */
export interface PendingSum {
  readonly left: Value
  readonly right: Value
}

/** The residual stream: a value, or a sum that no node has made yet. */
export type Residual = Value | PendingSum

const isPending = (x: Residual): x is PendingSum => 'left' in x

/** The residual stream as a value: makes the sum where it is pending. */
export const emitResidual = (graph: Graph, x: Residual): Value =>
  isPending(x) ? graph.add('Add', [x.left, x.right]) : x

interface NormParameters {
  readonly weight: Value
  readonly bias: Value | null
}

/** Weight and bias as the operators take them: the weight with its offset, ones where there is none. */
const parametersOf = (graph: Graph, step: NormStep, width: number, dtype: Value['dtype'], binding: VectorBinding) => {
  if (step.weight === null) return { weight: floats(graph, dtype, new Array<number>(width).fill(1)), bias: null }
  const stored = binding.vector(graph, `${step.weight}.weight`, width)
  return {
    weight: step.offset === 0 ? stored : graph.add('Add', [stored, scalar(graph, stored.dtype, step.offset)]),
    bias: step.bias ? binding.vector(graph, `${step.weight}.bias`, width) : null,
  }
}

/** The norm over the last axis. */
const emitPlainNorm = (graph: Graph, x: Value, { norm, epsilon }: NormStep, { weight, bias }: NormParameters): Value =>
  norm === 'rms'
    ? graph.add('SimplifiedLayerNormalization', [x, weight], { axis: -1, epsilon, stash_type: 1 })
    : graph.add('LayerNormalization', [x, weight, bias], { axis: -1, epsilon, stash_type: 1 })

/** The norm of each of the value's parts, with weights that they share or have of their own. */
const emitPartsNorm = (graph: Graph, x: Value, step: NormStep, parts: number, binding: VectorBinding): Value => {
  const width = step.width / parts
  const cut = reshape(graph, x, [0, 0, parts, width])
  const whole = (value: Value) => reshape(graph, value, [0, 0, step.width])
  if ((step.weights ?? 'shared') === 'shared')
    return whole(emitPlainNorm(graph, cut, step, parametersOf(graph, step, width, x.dtype, binding)))
  const own = (suffix: string): Value => {
    if (step.weights === 'stacked') return binding.matrix(graph, `${step.weight}.${suffix}`, [parts, width])
    const rows = Array.from({ length: parts }, (_, i) => binding.vector(graph, `${step.weight}.${i}.${suffix}`, width))
    return reshape(graph, graph.add('Concat', rows, { axis: 0 }), [parts, width])
  }
  const bare = parametersOf(graph, { ...step, weight: null }, width, x.dtype, binding)
  const scaled = graph.add('Mul', [emitPlainNorm(graph, cut, step, bare), own('weight')])
  return whole(step.bias ? graph.add('Add', [scaled, own('bias')]) : scaled)
}

const emitSkipNorm = (
  graph: Graph,
  { left, right }: PendingSum,
  { norm, epsilon }: NormStep,
  { weight, bias }: NormParameters,
  outputs: number | boolean[],
): Value[] =>
  norm === 'rms'
    ? graph.addAll('SkipSimplifiedLayerNormalization', [left, right, weight], { epsilon }, { outputs })
    : graph.addAll('SkipLayerNormalization', [left, right, weight, bias], { epsilon }, { outputs })

/**
 * The norm of a value or of the residual stream, and the latter as a value for whoever reads it next.
 * @param readAgain false where nothing reads the stream afterwards
 */
export const emitNorm = (
  graph: Graph,
  x: Residual,
  step: NormStep,
  binding: VectorBinding,
  readAgain: boolean,
): { readonly normed: Value; readonly residual: Residual } => {
  if (step.parts !== undefined) {
    const value = emitResidual(graph, x)
    return { normed: emitPartsNorm(graph, value, step, step.parts, binding), residual: value }
  }
  const { dtype } = isPending(x) ? x.left : x
  const parameters = parametersOf(graph, step, step.width, dtype, binding)
  if (!isPending(x)) return { normed: emitPlainNorm(graph, x, step, parameters), residual: x }
  const outputs = readAgain ? [true, false, false, true] : 1
  const [normed, residual = x] = emitSkipNorm(graph, x, step, parameters, outputs) as [Value, Value?]
  return { normed, residual }
}
