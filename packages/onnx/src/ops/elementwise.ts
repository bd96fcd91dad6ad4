import type { OnnxType, Shape } from '../types.ts'
import { anyType, flag, floats, type NodeView, numeric, type OpRow, optional, required, signed } from './row.ts'
import { broadcastAll, needShape, sameAsFirst } from './shape-rules.ts'

const bool = ['bool'] as const
const unary = (types: readonly OnnxType[]) =>
  ({ inputs: ['T'], outputs: ['T'], types: { T: types }, attributes: {}, infer: sameAsFirst }) satisfies OpRow

const binary = (types: readonly OnnxType[]) =>
  ({ inputs: ['T', 'T'], outputs: ['T'], types: { T: types }, attributes: {}, infer: broadcastAll }) satisfies OpRow

const comparison = (types: readonly OnnxType[]) =>
  ({ inputs: ['T', 'T'], outputs: ['bool'], types: { T: types }, attributes: {}, infer: broadcastAll }) satisfies OpRow

const variadic = (types: readonly OnnxType[]) =>
  ({ inputs: ['T', 'T*'], outputs: ['T'], types: { T: types }, attributes: {}, infer: broadcastAll }) satisfies OpRow

/** Integer arithmetic on sizes, so that a shape computed inside the graph stays known. */
const arithmetic = (combine: (a: number, b: number) => number) => ({
  ...binary(numeric),
  content: (node: NodeView) => {
    const [a, b] = [sizes(node, 0), sizes(node, 1)]
    if (!a || !b || (a.length !== b.length && a.length !== 1 && b.length !== 1)) return null
    const length = a.length === 1 ? b.length : a.length
    const result = Array.from({ length }, (_, i) => combine(a[a.length === 1 ? 0 : i]!, b[b.length === 1 ? 0 : i]!))
    return result.every(Number.isSafeInteger) ? result : null
  },
})

/** Whether an input's elements can be sizes. */
const countable = (node: NodeView, input: number) => /^int(32|64)$/.test(node.inputs[input]?.dtype ?? '')

const sizes = (node: NodeView, input: number) => (countable(node, input) ? node.numbers(input) : null)

const biased = (node: NodeView): Shape[] => {
  needShape(node, 1, [node.shape(0).at(-1) ?? 1], 'the bias')
  return sameAsFirst(node)
}

/** Operators that work element by element; shapes broadcast. */
export const elementwise = {
  Add: arithmetic((a, b) => a + b),
  Sub: arithmetic((a, b) => a - b),
  Mul: arithmetic((a, b) => a * b),
  Div: arithmetic((a, b) => Math.trunc(a / b)),
  Pow: {
    inputs: ['T', 'E'],
    outputs: ['T'],
    types: { T: [...floats, 'int32', 'int64'], E: numeric },
    attributes: {},
    infer: broadcastAll,
  },
  Mod: { ...binary(numeric), attributes: { fmod: flag(0) } },
  Min: variadic(numeric),
  Max: variadic(numeric),

  Neg: unary(signed),
  Abs: unary(numeric),
  Sign: unary(numeric),
  Floor: unary(floats),
  Ceil: unary(floats),
  Round: unary(floats),
  Sqrt: unary(floats),
  Reciprocal: unary(floats),
  Exp: unary(floats),
  Log: unary(floats),
  Sin: unary(floats),
  Cos: unary(floats),
  Erf: unary(numeric),
  Sigmoid: unary(floats),
  Tanh: unary(floats),
  Softplus: unary(floats),
  Relu: unary(signed),
  LeakyRelu: { ...unary(floats), attributes: { alpha: optional('float', 0.01) } },
  Gelu: { ...unary(floats), attributes: { approximate: optional('string', 'none', ['none', 'tanh']) } },

  Not: unary(bool),
  And: binary(bool),
  Or: binary(bool),
  Xor: binary(bool),
  Equal: comparison(anyType),
  Less: comparison(numeric),
  LessOrEqual: comparison(numeric),
  Greater: comparison(numeric),
  GreaterOrEqual: comparison(numeric),
  IsNaN: { ...unary(floats), outputs: ['bool'] },
  BitwiseAnd: binary(['uint8', 'int8', 'int32', 'int64']),
  BitwiseOr: binary(['uint8', 'int8', 'int32', 'int64']),
  BitShift: { ...binary(['uint8']), attributes: { direction: required('string', ['LEFT', 'RIGHT']) } },

  Clip: {
    inputs: ['T', 'T?', 'T?'],
    outputs: ['T'],
    types: { T: numeric },
    attributes: {},
    infer: (node) => {
      needShape(node, 1, [], 'the lower bound')
      needShape(node, 2, [], 'the upper bound')
      return sameAsFirst(node)
    },
  },
  Where: { inputs: ['bool', 'T', 'T'], outputs: ['T'], types: { T: anyType }, attributes: {}, infer: broadcastAll },
  Cast: {
    inputs: ['T'],
    outputs: ['=to'],
    types: { T: anyType },
    attributes: { to: required('type'), saturate: flag(1) },
    infer: sameAsFirst,
    content: (node) => (countable(node, 0) && /^int(32|64)$/.test(node.text('to')) ? node.content(0) : null),
  },
  Identity: { ...unary(anyType), content: (node) => node.content(0) },

  FastGelu: {
    domain: 'com.microsoft',
    inputs: ['T', 'T?'],
    outputs: ['T'],
    types: { T: floats },
    attributes: {},
    infer: biased,
  },
  BiasGelu: {
    domain: 'com.microsoft',
    inputs: ['T', 'T'],
    outputs: ['T'],
    types: { T: floats },
    attributes: {},
    infer: biased,
  },
  QuickGelu: { ...unary(floats), domain: 'com.microsoft', attributes: { alpha: optional('float', 1.702) } },
} satisfies Record<string, OpRow>
