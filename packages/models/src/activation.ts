/**
 * The activation functions of MLPs, as ONNX nodes.
 * @module
 */
import type { Graph, Value } from '@awq/onnx'
import type { ConfigReader } from './config-reader.ts'

/** `silu(x) = x * sigmoid(x)`; `gelu` is exact (erf), `geluTanh` its tanh approximation, `relu(x) = max(x, 0)`. */
export type Activation = 'silu' | 'gelu' | 'geluTanh' | 'relu'

/** The names transformers writes to `hidden_act` (`ACT2FN`). */
const NAMES: Readonly<Record<string, Activation>> = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu',
  gelu_new: 'geluTanh',
  gelu_fast: 'geluTanh',
  gelu_pytorch_tanh: 'geluTanh',
  relu: 'relu',
}

/**
 * Reads an activation's name from `config.json`.
 * @throws AwqError `UNSUPPORTED` when the name is not in the table
 */
export const readActivation = (config: ConfigReader, field: string): Activation =>
  Object.hasOwn(NAMES, config.text(field, 'silu'))
    ? NAMES[config.text(field, 'silu')]!
    : config.unsupported(field, Object.keys(NAMES).join(', '))

/** Adds the activation to a graph as one node, elementwise, the shape of `x` kept. QuickGelu is `x * sigmoid(alpha x)`. */
export const emitActivation = (graph: Graph, activation: Activation, x: Value): Value => {
  switch (activation) {
    case 'silu':
      return graph.add('QuickGelu', [x], { alpha: 1 })
    case 'gelu':
      return graph.add('Gelu', [x])
    case 'geluTanh':
      return graph.add('FastGelu', [x])
    case 'relu':
      return graph.add('Relu', [x])
  }
}
