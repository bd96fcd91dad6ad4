/**
 * The steps of a table as ONNX nodes.
 * @module
 */
import { type Graph, int64s, reshape, scalar, type Value } from '@awq/onnx'
import { AwqError } from '@awq/tensor'
import { emitActivation } from './activation.ts'
import {
  type Attended,
  type AttentionForm,
  emitAttention,
  emitRotary,
  type PastKeyValue,
  takesPacked,
} from './attention.ts'
import type { BlockBinding } from './binding.ts'
import { type ExpertShare, type ExpertTokens, emitExperts, expertEnds, type RoutedTokens } from './emit-experts.ts'
import { emitJoin } from './emit-join.ts'
import { emitRoute } from './emit-route.ts'
import { expertLists } from './expert-steps.ts'
import { linearsOf } from './linears.ts'
import { emitNorm, emitResidual, type PendingSum, type Residual } from './norm.ts'
import type { SequenceInputs } from './sequence.ts'
import { emitSoftCap } from './soft-cap.ts'
import {
  type AttentionStep,
  type ExpertsStep,
  type PositionsStep,
  readsOf,
  type SplitStep,
  type Step,
} from './steps.ts'

/** Steps, and what errors call them. */
export interface StepList {
  readonly steps: readonly Step[]
  readonly name: string
}

/** What surrounds steps. */
export interface StepsContext {
  readonly binding: BlockBinding
  readonly attention: AttentionForm
  /** Needed where attention or positions are among the steps. */
  readonly sequence?: SequenceInputs | undefined
  readonly past?: PastKeyValue
  /** Attention of another kind than a decoder's: makes the mixed values. */
  readonly attend?: ((step: AttentionStep, read: (name: string) => Value) => Value) | undefined
  /**
   * Leaves sums to the norms that read them (SkipSimplifiedLayerNormalization), also the last one to whatever follows.
   * Without it every sum is a node.
   */
  readonly deferSums?: boolean
  /** Takes the rows that are wanted of a value `[batch, sequence, ...]`: after attention the steps go on with them alone. */
  readonly wanted?: (value: Value) => Value
  /**
   * Called once for each value that linears read, before they do; for one of an expert with what its rows stand for.
   */
  readonly observe?: ((site: string, value: Value, routed?: RoutedTokens) => void) | undefined
  /** Which tokens experts compute; default those routed to them. */
  readonly experts?: ExpertTokens | undefined
  /** Values that are read when the steps are done; default all. */
  readonly results?: readonly string[]
}

/** What steps made. */
export interface EmittedSteps {
  /** A value by its name in the steps, as they left it. */
  readonly read: (name: string) => Value
  /** The same for the residual stream, whose last sum may be pending. */
  readonly residual: (name: string) => Residual
  /** Absent when attention was not among the steps. */
  readonly attended: Attended | undefined
}

/** A named value: there, a sum that may be left to a norm, or one whose nodes are made when it is read. */
type Entry = Value | PendingSum | (() => Value)

/** Values side by side in one, `[..., sum of the widths]`. */
interface Joined {
  readonly value: Value
  readonly parts: readonly string[]
}

const resolve = (graph: Graph, entry: Entry): Value =>
  typeof entry === 'function' ? entry() : emitResidual(graph, entry)

/** Parts of a value, which is split when the first of them is read. */
const splitLater = (graph: Graph, joined: Value, widths: readonly number[], groups = 1): (() => Value)[] => {
  let parts: Value[] | undefined
  const split = (): Value[] => {
    if (groups === 1)
      return graph.addAll('Split', [joined, int64s(graph, widths)], { axis: -1 }, { outputs: widths.length })
    const shares = widths.map((width) => width / groups)
    const stretches = reshape(graph, joined, [0, 0, groups, shares.reduce((sum, share) => sum + share)])
    return graph
      .addAll('Split', [stretches, int64s(graph, shares)], { axis: -1 }, { outputs: widths.length })
      .map((part, i) => reshape(graph, part, [0, 0, widths[i]!]))
  }
  return widths.map((_, i) => () => {
    parts ??= split()
    return parts[i]!
  })
}

const emitPositions = (graph: Graph, x: Value, step: PositionsStep, { binding, sequence }: StepsContext): Value => {
  const table = binding.matrix(graph, step.table, [step.rows, step.width])
  const first = graph.add('Add', [sequence!.start!, scalar(graph, 'int64', step.offset)])
  if (first.shape.length === 2) return graph.add('Add', [x, graph.add('Gather', [table, first], { axis: 0 })])
  const length = reshape(graph, graph.add('Shape', [x], { start: 1, end: 2 }), [])
  const range = graph.add('Range', [scalar(graph, 'int64', 0), length, scalar(graph, 'int64', 1)])
  const rows = graph.add('Gather', [table, graph.add('Add', [range, first])], { axis: 0 })
  return graph.add('Add', [x, rows])
}

/**
 * Adds steps to a graph.
 * @param given the values that they start from, by their names in the steps
 */
export const emitSteps = (
  graph: Graph,
  { steps, name: owner }: StepList,
  given: ReadonlyMap<string, Residual>,
  context: StepsContext,
): EmittedSteps => {
  const { binding, sequence, past, observe, wanted, results } = context
  const values = new Map<string, Entry>(given)
  const linears = linearsOf(steps)
  const joins: Joined[] = []
  const done = new Set<string>()
  let attended: Attended | undefined
  const find = (name: string): Entry => {
    const entry = values.get(name)
    if (entry) return entry
    throw new AwqError('CONFIG', `${owner}: a step reads "${name}" before it is made`)
  }
  const read = (name: string): Value => {
    const value = resolve(graph, find(name))
    values.set(name, value)
    return value
  }
  const residual = (name: string): Residual => {
    const entry = find(name)
    return typeof entry === 'function' ? read(name) : entry
  }
  const setParts = (value: Value, names: readonly string[], widths: readonly number[], groups?: number): void => {
    if ((groups ?? 1) === 1) joins.push({ value, parts: names })
    for (const [i, part] of splitLater(graph, value, widths, groups).entries()) values.set(names[i]!, part)
  }
  const emitLinears = (site: string): void => {
    const siblings = linears.filter((linear) => linear.site === site)
    const x = read(site)
    observe?.(site, x)
    const products = binding.linears(graph, x, siblings)
    for (const { name } of siblings) done.add(name)
    const outputs = siblings.map(({ output }) => output)
    if (products.length === siblings.length)
      for (const [i, product] of products.entries()) values.set(outputs[i]!, product)
    else
      setParts(
        products[0]!,
        outputs,
        siblings.map(({ shape }) => shape[0]),
      )
  }
  const emitAttentionStep = (step: AttentionStep): void => {
    if (context.attend) {
      values.set(step.to, context.attend(step, read))
      return
    }
    if (!sequence) throw new AwqError('INVALID_ARGUMENT', `${owner}: attention needs positions`)
    const names = [step.query, step.key, step.value]
    const packed = joins.find(({ parts }) => parts.join() === names.join())
    const projections =
      packed && past && takesPacked(context.attention, step)
        ? ([packed.value] as const)
        : ([read(step.query), read(step.key), read(step.value)] as const)
    const sinks = step.sinks === undefined ? undefined : binding.vector(graph, step.sinks, step.heads)
    attended = emitAttention(graph, context.attention, step, projections, { inputs: sequence, past, sinks })
    values.set(step.to, attended.output)
    if (wanted) for (const [name, entry] of values) values.set(name, () => wanted(resolve(graph, entry)))
  }
  const emitSplit = ({ from, to, widths, groups }: SplitStep): void => setParts(read(from), to, widths, groups)
  for (const [index, step] of steps.entries()) {
    switch (step.step) {
      case 'norm': {
        const again =
          results === undefined ||
          results.includes(step.from) ||
          steps.slice(index + 1).some((later) => readsOf(later).includes(step.from))
        const norm = emitNorm(graph, residual(step.from), step, binding, again)
        values.set(step.from, norm.residual)
        values.set(step.to, norm.normed)
        break
      }
      case 'linear':
        if (!done.has(step.weight)) emitLinears(step.from)
        break
      case 'split':
        emitSplit(step)
        break
      case 'attention':
        emitAttentionStep(step)
        break
      case 'add': {
        const sum = { left: read(step.left), right: read(step.right) }
        values.set(step.to, context.deferSums ? sum : emitResidual(graph, sum))
        break
      }
      case 'route':
        values.set(step.to, emitRoute(graph, read(step.from), step, binding))
        break
      case 'experts':
        values.set(step.to, emitMixture(graph, step, owner, read(step.from), read(step.routing), context))
        break
      case 'join':
        values.set(step.to, emitJoin(graph, read, step))
        break
      case 'multiply':
        values.set(step.to, graph.add('Mul', [read(step.left), read(step.right)]))
        break
      default:
        values.set(step.to, emitElementwise(graph, read(step.from), step, context))
    }
  }
  return { read, residual, attended }
}

/** Experts: by one operator where the binding has it, else each by steps of its own. */
const emitMixture = (
  graph: Graph,
  step: ExpertsStep,
  name: string,
  x: Value,
  routing: Value,
  { binding, attention, observe, experts = 'chosen' }: StepsContext,
): Value => {
  const whole = binding.mixture?.(graph, x, routing, step)
  if (whole) return whole
  const lists = expertLists(step)
  const run = (expert: number, { value, tokens }: ExpertShare): Value => {
    const [from, to] = expertEnds(step, expert)
    const own = observe && ((site: string, rows: Value) => observe(site, rows, tokens))
    const context = { binding, attention, observe: own, results: [to] }
    return emitSteps(graph, { steps: lists[expert]!, name }, new Map([[from, value]]), context).read(to)
  }
  return emitExperts(graph, x, routing, step, experts, run)
}

type Elementwise = Exclude<
  Step,
  { step: 'norm' | 'linear' | 'split' | 'attention' | 'add' | 'multiply' | 'route' | 'experts' | 'join' }
>

/** Steps of one value that make another of its shape. */
const emitElementwise = (graph: Graph, x: Value, step: Elementwise, context: StepsContext): Value => {
  switch (step.step) {
    case 'activation':
      return emitActivation(graph, step.activation, x)
    case 'factor':
      return graph.add('Mul', [x, scalar(graph, x.dtype, step.factor)])
    case 'softCap':
      return emitSoftCap(graph, x, step.cap)
    case 'clamp':
      return graph.add('Clip', [
        x,
        step.below === false ? null : scalar(graph, x.dtype, -step.limit),
        scalar(graph, x.dtype, step.limit),
      ])
    case 'scale': {
      const vector = context.binding.optionalVector(graph, `${step.weight}.weight`, step.width)
      return vector ? graph.add('Mul', [x, vector]) : x
    }
    case 'positions':
      return emitPositions(graph, x, step, context)
    case 'rotary':
      return emitRotary(graph, x, step, context.sequence!)
    case 'shift':
      return graph.add('Add', [x, scalar(graph, x.dtype, step.by)])
  }
}
