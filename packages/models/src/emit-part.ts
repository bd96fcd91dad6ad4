/**
 * The part of a block that lies between the input of some linears and the residual stream: attention up to its output
 * projection, or the MLP. It is what AWQ judges scales on (arXiv 2306.00978, and the modules its code inspects).
 * @module
 */
import { Graph, type Value } from '@awq/onnx'
import { AwqError } from '@awq/tensor'
import type { BlockBinding } from './binding.ts'
import type { BlockDescription } from './describe-block.ts'
import { emitSteps } from './emit-steps.ts'
import { flatSteps } from './expert-steps.ts'
import { linearsOf } from './linears.ts'
import { declareSequence } from './sequence.ts'
import { isPositioned, makesOf, readsOf, type Step, stepParameters } from './steps.ts'

/** The steps from `site` to the residual stream, and the values that are added to it. */
const partSteps = ({ steps }: BlockDescription, site: string): { inner: Step[]; ends: string[] } => {
  const derived = new Set([site])
  const inner: Step[] = []
  const ends: string[] = []
  for (const step of steps) {
    const all = readsOf(step)
    const read = all.filter((name) => derived.has(name))
    if (read.length === 0) continue
    if (read.length === all.length) {
      inner.push(step)
      for (const name of makesOf(step)) derived.add(name)
    } else if (step.step === 'add') ends.push(...read)
    else throw new AwqError('UNSUPPORTED', `the block's step ${step.step} does not follow from ${site} alone`)
  }
  return { inner, ends }
}

/** What the part behind a site is made of. */
export interface BlockPart {
  /** Names of its linears, in the order of their steps. */
  readonly linears: readonly string[]
  /** Names of its parameters, with their suffixes. */
  readonly parameters: readonly string[]
  /** True when positions matter: the graph then has the inputs of `declareSequence`. */
  readonly attention: boolean
}

/**
 * The part of the block behind a site.
 * @param site a value that linears read
 * @throws AwqError `UNSUPPORTED` when the part also reads values that do not come from the site
 */
export const blockPart = (block: BlockDescription, site: string): BlockPart => {
  const { inner } = partSteps(block, site)
  return {
    parameters: inner.flatMap(stepParameters).map(({ name }) => name),
    linears: linearsOf(flatSteps(inner)).flatMap(({ name, float }) => (float ? [] : [name])),
    attention: inner.some(isPositioned),
  }
}

/**
 * The graph of that part, on whole sequences from position 0. Inputs: `x`, the site's value `[batch, sequence, in]`; those
 * of `declareSequence` where the part has attention; and the binding's.
 * @param finish adds the outputs, from what the part adds to the residual stream, `[batch, sequence, hidden]`
 * @throws AwqError `UNSUPPORTED` as `blockPart`
 */
export const emitBlockPart = (
  block: BlockDescription,
  site: string,
  binding: BlockBinding,
  finish: (graph: Graph, output: Value) => void,
): Graph => {
  const { modelType } = block.config
  const graph = new Graph(`${modelType}-part`)
  const { width } = block.sites.find((other) => other.site === site)!
  const x = graph.input('x', 'float32', ['batch', 'sequence', width])
  const { attention } = blockPart(block, site)
  const sequence = attention ? declareSequence(graph, block, 'plain') : undefined
  const { inner, ends } = partSteps(block, site)
  const given = new Map([[site, x]])
  const { read } = emitSteps(graph, { steps: inner, name: modelType }, given, {
    ...{ binding, attention: 'plain', sequence },
    // Any device takes it.
    experts: 'masked',
  })
  const output = ends.map(read).reduce((sum, end) => graph.add('Add', [sum, end]))
  finish(graph, output)
  return graph
}
