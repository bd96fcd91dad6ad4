/**
 * A block cut into segments: what it takes to run a block as far as it is quantized, round some linears, and go on from there.
 * @module
 */
import { Graph, type Value } from '@awq/onnx'
import { AwqError } from '@awq/tensor'
import type { AttentionForm } from './attention.ts'
import type { BlockBinding } from './binding.ts'
import type { BlockDescription } from './describe-block.ts'
import type { ExpertTokens } from './emit-experts.ts'
import { emitSteps } from './emit-steps.ts'
import { declareSequence } from './sequence.ts'
import { isPositioned, makesOf, readsOf, type Step } from './steps.ts'

/** Where a site lies in the steps of its block. */
export interface SitePlace {
  /** Steps before the first linear that reads the site. */
  readonly before: number
  /**
   * For a site with one linear whose output is added to values made before the site: steps up to the last such sum, these
   * values, and the sum's name. Of parallel branches that is the last one: the output of another is added to it.
   */
  readonly sum?: { readonly end: number; readonly residuals: readonly string[]; readonly to: string }
}

/**
 * Finds a site.
 * @throws AwqError `INVALID_ARGUMENT` for a site that no linear reads
 */
export const sitePlace = ({ steps, config }: BlockDescription, site: string): SitePlace => {
  const readers = steps.flatMap((step, index) =>
    step.step === 'linear' && step.from === site ? [{ step, index }] : [],
  )
  const [first] = readers
  if (!first) throw new AwqError('INVALID_ARGUMENT', `${config.modelType}: no linear of the block reads "${site}"`)
  const before = first.index
  if (readers.length > 1) return { before }
  const residuals: string[] = []
  let { to } = first.step
  let end = before
  for (;;) {
    const at = steps.findIndex(
      (step, index) => index >= end && step.step === 'add' && (step.left === to || step.right === to),
    )
    const add = steps[at]
    if (add?.step !== 'add') break
    const residual = add.left === to ? add.right : add.left
    // A parallel branch that is yet to come has no value in the quantized block.
    if (steps.slice(before, at).some((step) => makesOf(step).includes(residual))) break
    residuals.push(residual)
    to = add.to
    end = at + 1
  }
  return residuals.length === 0 ? { before } : { before, sum: { end, residuals, to } }
}

/** The values that the steps from `at` on need of those before: a block ends with `hidden`, which is needed to its end. */
const liveValues = (steps: readonly Step[], at: number): string[] => {
  const live = new Set(['hidden'])
  for (const step of steps.slice(at).reverse()) {
    for (const name of makesOf(step)) live.delete(name)
    for (const name of readsOf(step)) live.add(name)
  }
  return [...live]
}

/** Some steps of a block as a graph. */
export interface Segment {
  readonly from: number
  readonly to: number
  /** The values it starts from: their axes behind batch and sequence. */
  readonly inputs: ReadonlyMap<string, readonly number[]>
}

/** A segment's graph, and what it hands on: the values that are alive behind it, and those that go through untouched. */
export interface EmittedSegment {
  readonly graph: Graph
  /** Outputs, with their axes behind batch and sequence. */
  readonly outputs: ReadonlyMap<string, readonly number[]>
  /** Values that later steps need and these do not change. */
  readonly kept: readonly string[]
}

/**
 * The steps `from`..`to` of a block on whole sequences. Inputs of the graph: the segment's, float32 `[batch, sequence, ...]`;
 * those of `declareSequence` where attention is among the steps; and the binding's. Outputs: what lies alive behind them.
 * @param finish adds outputs of its own, from values by their names
 */
export const emitSegment = (
  block: BlockDescription,
  { from, to, inputs }: Segment,
  binding: BlockBinding,
  attention: AttentionForm = 'plain',
  experts: ExpertTokens = 'masked',
  finish?: (graph: Graph, read: (name: string) => Value) => void,
): EmittedSegment => {
  const name = block.config.modelType
  const graph = new Graph(`${name}-segment`)
  const steps = block.steps.slice(from, to)
  const given = new Map(
    [...inputs].map(([value, axes]) => [value, graph.input(value, 'float32', ['batch', 'sequence', ...axes])]),
  )
  const sequence = steps.some(isPositioned) ? declareSequence(graph, block, attention) : undefined
  const { read } = emitSteps(graph, { steps, name }, given, { binding, attention, sequence, experts })
  const made = new Set(steps.flatMap(makesOf))
  const live = liveValues(block.steps, to)
  finish?.(graph, read)
  const outputs = new Map(
    live
      .filter((alive) => made.has(alive))
      .map((alive) => {
        const value = read(alive)
        graph.output(outputName(alive), graph.add('Identity', [value]))
        return [alive, value.shape.slice(2) as number[]]
      }),
  )
  return { graph, outputs, kept: live.filter((alive) => !made.has(alive)) }
}

/** What the graph calls a value that it hands on: the same name may be among its inputs. */
export const outputName = (value: string): string => `${value}.next`
