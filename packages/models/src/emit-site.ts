/**
 * The way from a block's input to the input of some of its linears, and to what their output is to become: what it takes
 * to compare a block whose inputs and first linears are quantized with the float one.
 * @module
 */
import { Graph } from '@awq/onnx'
import { AwqError } from '@awq/tensor'
import type { AttentionForm } from './attention.ts'
import type { BlockBinding } from './binding.ts'
import type { ModelDescription } from './describe.ts'
import { emitSteps } from './emit-block.ts'
import { declareSequence } from './sequence.ts'

/** Where a site lies in the steps of its block. */
interface SitePlace {
  /** Steps before the first linear that reads the site. */
  readonly before: number
  /** For a site with one linear whose output is added to a residual stream: steps up to the sum, and both names. */
  readonly sum?: { readonly end: number; readonly residual: string; readonly to: string }
}

const placeOf = ({ steps, config }: ModelDescription, site: string): SitePlace => {
  const readers = steps.flatMap((step, index) =>
    step.step === 'linear' && step.from === site ? [{ step, index }] : [],
  )
  const [first] = readers
  if (!first) throw new AwqError('INVALID_ARGUMENT', `${config.modelType}: no linear of the block reads "${site}"`)
  const at = steps.findIndex(
    (step) => step.step === 'add' && (step.left === first.step.to || step.right === first.step.to),
  )
  const add = steps[at]
  if (readers.length > 1 || add?.step !== 'add') return { before: first.index }
  const residual = add.left === first.step.to ? add.right : add.left
  return { before: first.index, sum: { end: at + 1, residual, to: add.to } }
}

/** True when the site has one linear, and its output is added to the residual stream as it is. */
export const addsToResidual = (description: ModelDescription, site: string): boolean =>
  placeOf(description, site).sum !== undefined

/**
 * The start of a block, up to a site. Inputs: `hidden` float32 `[batch, sequence, hidden]`, those of `declareSequence` where it has
 * attention, and the binding's. Outputs: `site`, the value that the site's linears read, and, where their output is added to the
 * residual stream, `residual`, that stream before the sum.
 * @throws AwqError `INVALID_ARGUMENT` for a site that no linear reads
 */
export const emitSiteInput = (
  description: ModelDescription,
  site: string,
  binding: BlockBinding,
  attention: AttentionForm = 'plain',
): Graph => {
  const { before, sum } = placeOf(description, site)
  return emitStart(description, before, binding, attention, sum ? { site, residual: sum.residual } : { site })
}

/**
 * The same start, up to what the site's linears are to make. Output: `target`, the residual stream after the sum where
 * their output is added to it, else the value that they read.
 * @throws AwqError as `emitSiteInput`
 */
export const emitSiteTarget = (
  description: ModelDescription,
  site: string,
  binding: BlockBinding,
  attention: AttentionForm = 'plain',
): Graph => {
  const { before, sum } = placeOf(description, site)
  return emitStart(description, sum?.end ?? before, binding, attention, { target: sum?.to ?? site })
}

const emitStart = (
  description: ModelDescription,
  count: number,
  binding: BlockBinding,
  attention: AttentionForm,
  outputs: Readonly<Record<string, string>>,
): Graph => {
  const { config } = description
  const graph = new Graph(`${config.modelType}-start`)
  const hidden = graph.input('hidden', 'float32', ['batch', 'sequence', config.hiddenSize])
  const steps = description.steps.slice(0, count)
  const attends = steps.some(({ step }) => step === 'attention')
  const sequence = attends ? declareSequence(graph, config, attention) : undefined
  const { read } = emitSteps(graph, description, steps, new Map([['hidden', hidden]]), { binding, attention, sequence })
  for (const [name, value] of Object.entries(outputs)) graph.output(name, graph.add('Identity', [read(value)]))
  return graph
}
