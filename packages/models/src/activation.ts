/**
 * The activation functions of MLPs, as ONNX nodes.
 * @module
 */
import type { Graph, Value } from '@awq/onnx'
import type { ConfigReader } from './config-reader.ts'

/**
 * `silu(x) = x * sigmoid(x)`; `gelu` is exact (erf), `geluTanh` its tanh approximation, `quickGelu(x) = x * sigmoid(1.702 x)`;
 * `relu(x) = max(x, 0)`, `relu2` its square.
 */
export type Activation = 'silu' | 'gelu' | 'geluTanh' | 'quickGelu' | 'relu' | 'relu2' | 'tanh' | 'sigmoid'

/** The names transformers writes to `hidden_act` (`ACT2FN`). */
const NAMES: Readonly<Record<string, Activation>> = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_new: 'geluTanh',
  gelu_fast: 'geluTanh',
  gelu_pytorch_tanh: 'geluTanh',
  gelu_python_tanh: 'geluTanh',
  gelu_accurate: 'geluTanh',
  quick_gelu: 'quickGelu',
  relu: 'relu',
  relu2: 'relu2',
  tanh: 'tanh',
  sigmoid: 'sigmoid',
}

/**
 * Reads an activation's name from `config.json`.
 * @param fallback the family's own, where the field is absent
 * @throws AwqError `UNSUPPORTED` when the name is not in the table
 */
export const readActivation = (config: ConfigReader, field: string, fallback = 'silu'): Activation =>
  Object.hasOwn(NAMES, config.text(field, fallback))
    ? NAMES[config.text(field, fallback)]!
    : config.unsupported(field, Object.keys(NAMES).join(', '))

/** Adds the activation to a graph, elementwise, the shape of `x` kept. QuickGelu is `x * sigmoid(alpha x)`. */
export const emitActivation = (graph: Graph, activation: Activation, x: Value): Value => {
  switch (activation) {
    case 'silu':
      return graph.add('QuickGelu', [x], { alpha: 1 })
    case 'gelu':
      return graph.add('Gelu', [x])
    case 'geluTanh':
      return graph.add('FastGelu', [x])
    case 'quickGelu':
      return graph.add('QuickGelu', [x], { alpha: 1.702 })
    case 'relu':
      return graph.add('Relu', [x])
    case 'relu2': {
      const positive = graph.add('Relu', [x])
      return graph.add('Mul', [positive, positive])
    }
    case 'tanh':
      return graph.add('Tanh', [x])
    case 'sigmoid':
      return graph.add('Sigmoid', [x])
  }
}
