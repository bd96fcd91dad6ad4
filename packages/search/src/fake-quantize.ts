/**
 * The quantizer of `@awq/quantize` as ONNX nodes: the same arithmetic in the same order, so that both give the same
 * codes to the last bit. Groups are rows here: a weight matrix comes as [groups, size].
 * @module
 */
import { type Graph, int64s, reshape, scalar as scalarOf, type Value } from '@awq/onnx'
import { type QuantSpec, SMALLEST_SCALE, stepsOf } from '@awq/quantize'

/** Scale and zero point of every group, [groups] each. */
export interface GridValues {
  readonly scale: Value
  /** Null when symmetric. */
  readonly zero: Value | null
}

/**
 * Adding and then subtracting 1.5 * 2^23 rounds a float32 below 2^22 to the nearest integer, half to even, because no
 * bit is left for a fraction. Unlike Round, which some providers lack, every provider has a kernel for it, and the zero
 * point can be added in the same step.
 */
export const ROUNDER = 1.5 * 2 ** 23

const scalar = (graph: Graph, value: number) => scalarOf(graph, 'float32', value)

/** Where ranges and grids come about by other rules than those of `@awq/quantize`: for comparing with other programs. */
export interface GridRule {
  /**
   * Whether every range is extended to include zero; default true. AutoAWQ 0.2.9 does not (`false`): a group of one sign
   * then has a finer grid, all of whose zero points are clamped.
   */
  readonly includeZero?: boolean | undefined
  /** The type that losses see scales in; default `float16`, as they are stored. AutoAWQ searches in the model's type. */
  readonly scales?: 'float16' | 'float32' | undefined
}

/** What AutoAWQ bounds a range by. */
const LEAST_RANGE = 1e-5

/** A vector [groups] as a column that broadcasts over the members of each group. */
const column = (graph: Graph, value: Value) => graph.add('Unsqueeze', [value, int64s(graph, [1])])

/** min(0, min) and max(0, max) over the last axis of `weight` [groups, size]: `groupRanges`; min and max by a rule. */
export function emitRanges(graph: Graph, weight: Value, rule: GridRule = {}): { low: Value; high: Value } {
  const lastAxis = int64s(graph, [1])
  // Vectors, not columns: with a scalar, ONNX Runtime handles a last axis of one element by element.
  const least = graph.add('ReduceMin', [weight, lastAxis], { keepdims: 0 })
  const most = graph.add('ReduceMax', [weight, lastAxis], { keepdims: 0 })
  if (rule.includeZero === false) return { low: least, high: most }
  const zero = scalar(graph, 0)
  return { low: graph.add('Min', [least, zero]), high: graph.add('Max', [most, zero]) }
}

/** The least value that float16 has with all of its 11 digits; below it values lie 2^-24 apart. */
const LEAST_NORMAL = 2 ** -14

/** The largest float32 that float16 rounds to a finite value: what is next to it, 65520, is a tie, and goes to infinity. */
const LARGEST_FINITE = 65520 - 2 ** -8

/**
 * Rounds float32, not negative, to the values of float16, ties to even: Veltkamp's splitting, t - (t - x) with t = x (2^13 + 1), leaves 24 - 13
 * digits (Dekker, Numerische Mathematik 18, 1971). Not by Cast, which has no float16 on every WebGPU device, and which
 * onnxruntime-web leaves out where one cast undoes another.
 */
const roundToFloat16 = (graph: Graph, x: Value): Value => {
  const above = graph.add('Mul', [x, scalar(graph, 2 ** 13 + 1)])
  const normal = graph.add('Sub', [above, graph.add('Sub', [above, x])])
  // The digits of 0.75 end at 2^-24.
  const anchor = scalar(graph, 0.75)
  const small = graph.add('Sub', [graph.add('Add', [x, anchor]), anchor])
  const finite = graph.add('Where', [graph.add('Less', [x, scalar(graph, LEAST_NORMAL)]), small, normal])
  const large = graph.add('Less', [scalar(graph, LARGEST_FINITE), x])
  return graph.add('Where', [large, scalar(graph, Number.POSITIVE_INFINITY), finite])
}

/** The grid as it is stored, from ranges [groups]: `quantizationGrid`. A scale beyond float16 becomes infinite. */
export function emitGrid(graph: Graph, low: Value, high: Value, spec: QuantSpec, rule: GridRule = {}): GridValues {
  const steps = scalar(graph, stepsOf(spec.bits))
  const negatedLow = graph.add('Neg', [low])
  const span = spec.symmetric
    ? graph.add('Mul', [graph.add('Max', [negatedLow, high]), scalar(graph, 2)])
    : graph.add('Sub', [high, low])
  const asIs = rule.includeZero === false
  const width = asIs ? graph.add('Max', [span, scalar(graph, LEAST_RANGE)]) : span
  const exact = graph.add('Div', [width, steps])
  const stored = rule.scales === 'float32' ? exact : roundToFloat16(graph, exact)
  const scale = graph.add('Where', [
    graph.add('Equal', [width, scalar(graph, 0)]),
    scalar(graph, 1),
    graph.add('Max', [stored, scalar(graph, SMALLEST_SCALE)]),
  ])
  if (spec.symmetric) return { scale, zero: null }
  const rounder = scalar(graph, ROUNDER)
  const position = graph.add('Div', [negatedLow, scale])
  const rounded = graph.add('Sub', [graph.add('Add', [position, rounder]), rounder])
  const least = asIs ? graph.add('Max', [rounded, scalar(graph, 0)]) : rounded
  return { scale, zero: graph.add('Min', [least, steps]) }
}

/** Codes minus zero points, [groups, size], and what they were rounded from: weight / scale. */
export function emitCodes(graph: Graph, weight: Value, grid: GridValues, spec: QuantSpec) {
  const scale = column(graph, grid.scale)
  const position = graph.add('Div', [weight, scale])
  const shifted = graph.add('Add', [position, scalar(graph, ROUNDER)])
  const clamp = (value: Value, least: number, most: number) =>
    graph.add('Clip', [value, scalar(graph, least), scalar(graph, most)])
  if (grid.zero === null) {
    const middle = 2 ** (spec.bits - 1)
    const rounded = graph.add('Sub', [shifted, scalar(graph, ROUNDER)])
    return { centred: clamp(rounded, -middle, stepsOf(spec.bits) - middle), position, scale }
  }
  const shift = column(graph, graph.add('Sub', [scalar(graph, ROUNDER), grid.zero]))
  const codes = clamp(graph.add('Sub', [shifted, shift]), 0, stepsOf(spec.bits))
  return { centred: graph.add('Sub', [codes, column(graph, grid.zero)]), position, scale }
}

/** What rounding adds to each weight: (code - zero - weight / scale) * scale, [groups, size]. */
export function emitError(graph: Graph, weight: Value, grid: GridValues, spec: QuantSpec): Value {
  const { centred, position, scale } = emitCodes(graph, weight, grid, spec)
  return graph.add('Mul', [graph.add('Sub', [centred, position]), scale])
}

/**
 * E = Q(W S) S^-1 - W, [rows, padded]: what rounding adds to each weight when columns are scaled beforehand.
 *
 * @param weight [rows, padded], padded a multiple of `groupSize`
 * @param scale [padded]
 * @param inverse [padded], 1 / scale
 */
export function emitScaledError(
  graph: Graph,
  weight: Value,
  { scale, inverse }: { readonly scale: Value; readonly inverse: Value },
  problem: {
    readonly padded: number
    readonly groupSize: number
    readonly spec: QuantSpec
    readonly rule?: GridRule | undefined
  },
): Value {
  const { padded, groupSize, spec, rule } = problem
  const groups = reshape(graph, graph.add('Mul', [weight, scale]), [-1, groupSize])
  const { low, high } = emitRanges(graph, groups, rule)
  const error = emitError(graph, groups, emitGrid(graph, low, high, spec, rule), spec)
  return graph.add('Mul', [reshape(graph, error, [-1, padded]), inverse])
}

/** The rounded weights, (code - zero) * scale, [groups, size]: `dequantize(roundRtn(...))`. */
export function emitRounded(graph: Graph, weight: Value, grid: GridValues, spec: QuantSpec): Value {
  const { centred, scale } = emitCodes(graph, weight, grid, spec)
  return graph.add('Mul', [centred, scale])
}
