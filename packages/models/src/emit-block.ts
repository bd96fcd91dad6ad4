/**
 * One decoder block as ONNX nodes, from the steps of its architecture table.
 * @module
 */
import { type Graph, int64s, type Value } from '@awq/onnx'
import { AwqError } from '@awq/tensor'
import { emitActivation } from './activation.ts'
import type { Step } from './architecture.ts'
import {
  type Attended,
  type AttentionForm,
  emitAttention,
  type PastKeyValue,
  type SequenceInputs,
  takesPacked,
} from './attention.ts'
import type { BlockBinding } from './binding.ts'
import type { LinearSpec, ModelDescription } from './describe.ts'
import { emitResidual, emitResidualNorm, type PendingSum, type Residual } from './norm.ts'

/** What surrounds a block in its graph. */
export interface BlockContext {
  /** The residual stream, `[batch, sequence, hidden]`. */
  readonly hidden: Residual
  readonly binding: BlockBinding
  readonly attention: AttentionForm
  readonly sequence: SequenceInputs
  readonly past?: PastKeyValue
  /**
   * Leaves sums to the norms that read them (SkipSimplifiedLayerNormalization), also the last one to the next block.
   * Without it every sum is a node.
   */
  readonly deferSums?: boolean
  /** Takes the rows that are wanted of a value `[batch, sequence, ...]`: after attention the block goes on with them alone. */
  readonly wanted?: (value: Value) => Value
  /** Called once for each value that linears read, before they do. */
  readonly observe?: (site: string, value: Value) => void
}

/** The residual stream after the block, and the keys and values for the cache. */
export interface EmittedBlock extends Omit<Attended, 'output'> {
  readonly hidden: Residual
}

/** A named value of a block: there, a sum that may be left to a norm, or one whose nodes are made when it is read. */
type Entry = Value | PendingSum | (() => Value)

/** Outputs of several linears side by side in one value, `[..., sum of the widths]`. */
interface Joined {
  readonly value: Value
  readonly outputs: readonly string[]
}

const resolve = (graph: Graph, entry: Entry): Value =>
  typeof entry === 'function' ? entry() : emitResidual(graph, entry)

/** Parts of a joined value, which is split when the first of them is read. */
const splitLater = (graph: Graph, joined: Value, linears: readonly LinearSpec[]): (() => Value)[] => {
  let parts: Value[] | undefined
  const split = () => {
    const widths = int64s(
      graph,
      linears.map(({ shape }) => shape[0]),
    )
    parts ??= graph.addAll('Split', [joined, widths], { axis: -1 }, { outputs: linears.length })
    return parts
  }
  return linears.map((_, i) => () => split()[i]!)
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

/** What surrounds steps: as of a block, positions only where attention is among them. */
export interface StepsContext extends Omit<BlockContext, 'hidden' | 'sequence'> {
  readonly sequence?: SequenceInputs | undefined
}

/**
 * Adds some steps of a block to a graph.
 * @param given the values that they start from, by their names in the steps
 */
export const emitSteps = (
  graph: Graph,
  description: ModelDescription,
  steps: readonly Step[],
  given: ReadonlyMap<string, Residual>,
  context: StepsContext,
): EmittedSteps => {
  const { config, linears } = description
  const { binding, sequence, past, observe, wanted } = context
  const values = new Map<string, Entry>(given)
  const joins: Joined[] = []
  const done = new Set<string>()
  let attended: Attended | undefined
  const find = (name: string): Entry => {
    const entry = values.get(name)
    if (entry) return entry
    throw new AwqError('CONFIG', `${config.modelType}: a step of the block reads "${name}" before it is made`)
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
  for (const step of steps) {
    switch (step.step) {
      case 'rmsNorm': {
        const weight = binding.vector(graph, `${step.weight}.weight`, config.hiddenSize)
        const norm = emitResidualNorm(graph, residual(step.from), weight, config.normEpsilon)
        values.set(step.from, norm.residual)
        values.set(step.to, norm.normed)
        break
      }
      case 'linear': {
        if (done.has(step.weight)) break
        const siblings = linears.filter((linear) => linear.site === step.from)
        const x = read(step.from)
        observe?.(step.from, x)
        const products = binding.linears(graph, x, siblings)
        const [joined] = products
        if (products.length < siblings.length && joined) {
          joins.push({ value: joined, outputs: siblings.map(({ output }) => output) })
        }
        const parts = products.length < siblings.length ? splitLater(graph, joined!, siblings) : products
        for (const [i, { name, output }] of siblings.entries()) {
          values.set(output, parts[i]!)
          done.add(name)
        }
        break
      }
      case 'attention': {
        if (!sequence) throw new AwqError('INVALID_ARGUMENT', `${config.modelType}: attention needs positions`)
        const names = [step.query, step.key, step.value]
        const packed = joins.find(({ outputs }) => outputs.join() === names.join())
        const projections =
          packed && past && takesPacked(context.attention, config)
            ? ([packed.value] as const)
            : ([read(step.query), read(step.key), read(step.value)] as const)
        attended = emitAttention(graph, context.attention, config, projections, sequence, past)
        values.set(step.to, attended.output)
        if (wanted) for (const [name, entry] of values) values.set(name, () => wanted(resolve(graph, entry)))
        break
      }
      case 'activation':
        values.set(step.to, emitActivation(graph, config.activation, read(step.from)))
        break
      case 'multiply':
        values.set(step.to, graph.add('Mul', [read(step.left), read(step.right)]))
        break
      case 'add': {
        const sum = { left: read(step.left), right: read(step.right) }
        values.set(step.to, context.deferSums ? sum : emitResidual(graph, sum))
        break
      }
    }
  }
  return { read, residual, attended }
}

/** Adds one block to a graph. */
export const emitBlock = (graph: Graph, description: ModelDescription, context: BlockContext): EmittedBlock => {
  const { residual, attended } = emitSteps(
    graph,
    description,
    description.steps,
    new Map([['hidden', context.hidden]]),
    context,
  )
  if (!attended) throw new AwqError('CONFIG', `${description.config.modelType}: the block has no attention step`)
  return { hidden: residual('hidden'), key: attended.key, value: attended.value }
}
