/**
 * A mixture of experts, as ONNX nodes.
 *
 * `chosen`: the tokens are sorted by expert and cut into one piece for each, which is empty where no token goes: an expert
 * computes its own tokens alone. There is no branch: kernels return at once for a piece of no rows.
 *
 * `spare`: the same with one more row for each expert, whose output nobody takes, so that no piece is empty: for devices whose
 * kernels take none. Prompts cost what their tokens' own experts do; a single token is computed by all experts.
 *
 * `masked`: every expert computes every token, and the weights of those that are not its own are zero. `all`: the same, and statistics count every token for every expert.
 * @module
 */
import { type Graph, int64s, reshape, scalar, type Value } from '@awq/onnx'
import { type Device, kernelsOf } from '@awq/ort'
import { expertValue } from './expert-steps.ts'
import type { ExpertsStep } from './steps.ts'

/** Which tokens experts compute. */
export type ExpertTokens = 'chosen' | 'spare' | 'masked' | 'all'

/** What statistics must know of a value that only some tokens come by at. */
export interface RoutedTokens {
  /** int64 `[1]`: how many tokens there are in all. */
  readonly total: () => Value
  /** int64 `[1]`: how many of them go to the expert. */
  readonly reached: () => Value
  /** What each row counts, `[..., 1]` beside the value; undefined where all count alike. */
  readonly weight: () => Value | undefined
}

/** Which tokens experts compute on a device, where no operator computes the mixture: pieces may be empty. */
export const expertTokensOn = (device: Device): ExpertTokens => (kernelsOf(device).emptyValues ? 'chosen' : 'masked')

/** The tokens that an expert computes. */
export interface ExpertShare {
  /** `[1, tokens of its own, in]`, or `[batch, sequence, in]`. */
  readonly value: Value
  readonly tokens: RoutedTokens
}

/** Computes one expert's output, `[..., width]`, from its tokens. */
export type RunExpert = (expert: number, share: ExpertShare) => Value

const sizeOf = (graph: Graph, x: Value, axis: number): Value => graph.add('Shape', [x], { start: axis, end: axis + 1 })

const countUp = (graph: Graph, count: Value): Value =>
  graph.add('Range', [scalar(graph, 'int64', 0), reshape(graph, count, []), scalar(graph, 'int64', 1)])

const flatten = (graph: Graph, x: Value): Value => reshape(graph, x, [-1, x.shape.at(-1) as number])

/** Nodes that are made when they are asked for, once. */
const later = <T>(make: () => T): (() => T) => {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

const countPositive = (graph: Graph, weight: Value): Value => {
  const own = graph.add('Cast', [graph.add('Greater', [weight, scalar(graph, weight.dtype, 0)])], { to: 'int64' })
  return reshape(graph, graph.add('ReduceSum', [own], { keepdims: 0 }), [1])
}

/** Pieces of `[1, rows, ...]`, one for each expert. */
const cut = (graph: Graph, x: Value, counts: Value, experts: number): Value[] =>
  experts === 1 ? [x] : graph.addAll('Split', [x, counts], { axis: 1 }, { outputs: experts })

/**
 * Adds a mixture to a graph.
 * @param x `[batch, sequence, in]`
 * @param routing `[batch, sequence, experts]`: zero for experts that are not chosen
 */
export const emitExperts = (
  graph: Graph,
  x: Value,
  routing: Value,
  step: ExpertsStep,
  form: ExpertTokens,
  run: RunExpert,
): Value =>
  form === 'chosen' || form === 'spare'
    ? emitChosen(graph, x, routing, step, form === 'spare', run)
    : emitAll(graph, x, routing, step, form, run)

const emitAll = (
  graph: Graph,
  x: Value,
  routing: Value,
  { experts }: ExpertsStep,
  form: ExpertTokens,
  run: RunExpert,
): Value => {
  const weights = graph.addAll(
    'Split',
    [routing, int64s(graph, new Array<number>(experts).fill(1))],
    { axis: -1 },
    { outputs: experts },
  )
  const total = later(() => graph.add('Mul', [sizeOf(graph, x, 0), sizeOf(graph, x, 1)]))
  const shareOf = (weight: Value): ExpertShare => {
    const every = { total, reached: total, weight: () => undefined }
    const own = { total, reached: () => countPositive(graph, weight), weight: () => weight }
    return { value: x, tokens: form === 'all' ? every : own }
  }
  return weights
    .map((weight, expert) => graph.add('Mul', [run(expert, shareOf(weight)), weight]))
    .reduce((sum, part) => graph.add('Add', [sum, part]))
}

const emitChosen = (
  graph: Graph,
  x: Value,
  routing: Value,
  step: ExpertsStep,
  spare: boolean,
  run: RunExpert,
): Value => {
  const { experts, chosen } = step
  const tokens = flatten(graph, x)
  const [weights, places] = graph.addAll(
    'TopK',
    [flatten(graph, routing), int64s(graph, [chosen])],
    { axis: -1 },
    { outputs: 2 },
  ) as [Value, Value]
  const total = later(() => sizeOf(graph, tokens, 0))
  // Pairs of token and expert, token by token, and behind them the spare ones; then sorted by expert, tokens in order.
  const own = reshape(graph, places, [-1])
  const expertOf = spare ? graph.add('Concat', [own, int64s(graph, range(experts))], { axis: 0 }) : own
  const pairs = sizeOf(graph, expertOf, 0)
  const place = countUp(graph, pairs)
  const key = graph.add('Add', [graph.add('Mul', [expertOf, pairs]), place])
  const [, order] = graph.addAll('TopK', [key, pairs], { largest: 0 }, { outputs: 2 }) as [Value, Value]
  const sorted = (rows: Value, by: Value): Value =>
    reshape(graph, graph.add('Gather', [rows, by], { axis: 0 }), [1, -1, rows.shape.at(-1) as number])
  const isExpert = graph.add('Equal', [reshape(graph, expertOf, [-1, 1]), int64s(graph, range(experts))])
  const counts = graph.add('ReduceSum', [graph.add('Cast', [isExpert], { to: 'int64' }), int64s(graph, [0])], {
    keepdims: 0,
  })
  const pairOwner = graph.add('Div', [order, scalar(graph, 'int64', chosen)])
  const lastToken = later(() => graph.add('Sub', [total(), scalar(graph, 'int64', 1)]))
  const owner = spare ? graph.add('Min', [pairOwner, lastToken()]) : pairOwner
  const pieces = cut(graph, sorted(tokens, owner), counts, experts)
  const pairWeights = later(() => {
    const given = reshape(graph, weights, [-1, 1])
    const none = () => graph.constant(x.dtype as 'float32', [experts, 1], new Array<number>(experts).fill(0))
    return spare ? graph.add('Concat', [given, none()], { axis: 0 }) : given
  })
  const shares = later(() => cut(graph, sorted(pairWeights(), order), counts, experts))
  const outputs = pieces.map((value, expert) => {
    const rows = () => sizeOf(graph, value, 1)
    const reached = () => (spare ? graph.add('Sub', [rows(), scalar(graph, 'int64', 1)]) : rows())
    return run(expert, { value, tokens: { total, reached, weight: () => shares()[expert] } })
  })
  const width = outputs[0]!.shape.at(-1) as number
  const joined = reshape(graph, graph.add('Concat', outputs, { axis: 1 }), [-1, width])
  // Where each pair has gone in the sorted list.
  const placed = graph.add('ScatterElements', [place, order, place], { axis: 0 })
  const ends = () => [int64s(graph, [0]), sizeOf(graph, own, 0), int64s(graph, [0])]
  const back = spare ? graph.add('Slice', [placed, ...ends()]) : placed
  const paired = reshape(graph, graph.add('Gather', [joined, back], { axis: 0 }), [-1, chosen, width])
  const mixed = graph.add('MatMul', [reshape(graph, weights, [-1, 1, chosen]), paired])
  const shape = graph.add('Concat', [sizeOf(graph, x, 0), sizeOf(graph, x, 1), int64s(graph, [width])], { axis: 0 })
  return graph.add('Reshape', [mixed, shape], {}, { shape: [...x.shape.slice(0, -1), width] })
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

/** The names that the steps of an expert begin and end with. */
export const expertEnds = ({ from, to }: ExpertsStep, expert: number): readonly [from: string, to: string] => [
  expertValue(from, expert),
  expertValue(to, expert),
]
