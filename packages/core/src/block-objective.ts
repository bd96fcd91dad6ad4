/**
 * The objective of the paper: what scales do to the output of attention or of the MLP.
 * @module
 */

import type { BlockBinding, BlockDescription, BlockPart, ScaleGroup, SequenceBatch } from '@awq/models'
import {
  blockFeeds,
  blockPart,
  emitBlockPart,
  emitForwardBlock,
  emitLinear,
  forwardFeeds,
  inputBinding,
} from '@awq/models'
import { cachedSession, type Engine, type Tensor, tensor } from '@awq/ort'
import { effectiveGroupSize, groupsPerRow, type QuantSpec } from '@awq/quantize'
import { type EvaluateScales, emitScaledError, type GridRule } from '@awq/search'
import { AwqError } from '@awq/tensor'
import { type BlockState, specOf } from './block-state.ts'
import { codedWeightOf } from './salient.ts'
import type { ScaleObjective } from './scale-objective.ts'

/** Options of `blockObjective`. */
export interface BlockObjectiveOptions {
  /** About so many calibration tokens, in whole sequences spread over all of them; default 2048. */
  readonly tokens?: number | undefined
}

/**
 * `block`: the squared error of the output of attention (for the linears that read its input) or of the MLP, per token and
 * summed over channels, with the candidate's rounded weights and everything else float (arXiv 2306.00978, section 3.2, as
 * its code does it). For linears whose output goes straight to the residual stream, and for those of experts, it is the
 * linear objective, and is taken from the Gram matrix of all tokens.
 */
export const blockObjective = ({ tokens = 2048 }: BlockObjectiveOptions = {}): ScaleObjective => {
  if (!Number.isSafeInteger(tokens) || tokens < 1)
    throw new AwqError('INVALID_ARGUMENT', `the block objective needs a positive number of tokens, not ${tokens}`)
  return { name: 'block', options: { tokens }, inputTokens: tokens, open: openLoss }
}

const openLoss = async (block: BlockState, group: ScaleGroup, rule?: GridRule): Promise<EvaluateScales | undefined> => {
  const { structure, engine, signal } = block
  const part = partBehind(structure, group.site)
  if (!part) return undefined
  const own = new Set(group.consumers)
  if (part.linears.every((name) => own.has(name)) && !part.attention) return undefined
  const { inputs = [] } = block
  if (inputs.length === 0)
    throw new AwqError(
      'INVALID_ARGUMENT',
      `the block objective needs inputs of block ${block.layer}, which were not kept`,
    )
  const spec = specOf(block, group.consumers[0]!)
  const width = group.producerRow.length
  const padded = effectiveGroupSize(spec.groupSize, width) * groupsPerRow(spec.groupSize, width)
  const x = await siteValues(block, group.site, inputs)
  const feeds: Record<string, Tensor> = partWeights(block, part.parameters)
  const feedsFor = forwardFeeds(structure)
  const floats = await floatPart(engine, structure, group.site)
  const batches: Record<string, Tensor>[] = []
  for (const [i, values] of x.entries()) {
    const sequence = part.attention ? feedsFor(inputs[i]!) : {}
    const { output } = await floats.run({ ...feeds, ...sequence, x: values }, { signal })
    batches.push({ ...sequence, x: values, reference: output! })
  }
  for (const name of group.consumers) feeds[`${name}.coded`] = padColumns(codedWeightOf(block, name), width, padded)
  const session = await lossPart(engine, structure, group, { spec, padded, rule })
  const count = x.reduce((sum, { shape }) => sum + shape[0]! * shape[1]!, 0)
  return async (scales) => {
    const losses: number[] = []
    for (const scale of scales) {
      const multiplier = new Float32Array(padded).fill(1)
      multiplier.set(scale)
      const inverse = multiplier.map((value) => 1 / value)
      const vectors = { scale: tensor('float32', [padded], multiplier), inverse: tensor('float32', [padded], inverse) }
      let loss = 0
      for (const batch of batches) {
        const outputs = await session.run({ ...feeds, ...batch, ...vectors }, { signal })
        loss += (outputs.loss!.data[0] as number) / count
      }
      losses.push(loss)
    }
    return losses
  }
}

/** The part behind a site; none where it goes on with values that come from elsewhere too (latent attention). */
const partBehind = (structure: BlockDescription, site: string): BlockPart | undefined => {
  try {
    return blockPart(structure, site)
  } catch (error) {
    if (AwqError.is(error) && error.code === 'UNSUPPORTED') return undefined
    throw error
  }
}

/** What the block, as it stands, makes of its inputs at a site. */
const siteValues = async (block: BlockState, site: string, inputs: readonly SequenceBatch[]): Promise<Tensor[]> => {
  const { structure, engine, weights, signal } = block
  const session = await cachedSession(engine, `core block sites ${structure.key} ${site}`, () =>
    emitForwardBlock(structure, inputBinding(), {
      experts: 'masked',
      observe: (graph, name, value) => {
        if (name === site) graph.output('site', graph.add('Identity', [value]))
      },
    }).toBytes(),
  )
  const parameters = blockFeeds(structure, weights)
  const feedsFor = forwardFeeds(structure)
  const values: Tensor[] = []
  for (const hidden of inputs)
    values.push((await session.run({ ...parameters, ...feedsFor(hidden), hidden }, { signal })).site!)
  return values
}

const partWeights = ({ structure, weights }: BlockState, parameters: readonly string[]): Record<string, Tensor> =>
  Object.fromEntries(
    structure.parameters.flatMap(({ name, shape }) =>
      parameters.includes(name) ? [[name, tensor('float32', shape, weights.get(name)!)] as const] : [],
    ),
  )

const padColumns = (weight: Float32Array, width: number, padded: number): Tensor => {
  const rows = weight.length / width
  if (padded === width) return tensor('float32', [rows, width], weight)
  const data = new Float32Array(rows * padded)
  for (let row = 0; row < rows; row++) data.set(weight.subarray(row * width, (row + 1) * width), row * padded)
  return tensor('float32', [rows, padded], data)
}

const keyOf = (structure: BlockDescription, site: string): string => `core part ${structure.key} ${site}`

const floatPart = (engine: Engine, structure: BlockDescription, site: string) =>
  cachedSession(engine, `${keyOf(structure, site)} float`, () =>
    emitBlockPart(structure, site, inputBinding(), (graph, output) => graph.output('output', output)).toBytes(),
  )

/** Weights W + E for the group's linears, E the error that rounding with `scale` makes; the others float. */
const lossPart = (
  engine: Engine,
  structure: BlockDescription,
  group: ScaleGroup,
  form: { readonly spec: QuantSpec; readonly padded: number; readonly rule: GridRule | undefined },
) =>
  cachedSession(engine, `${keyOf(structure, group.site)} loss ${JSON.stringify(form)}`, () => {
    const { spec, padded } = form
    const groupSize = effectiveGroupSize(spec.groupSize, group.producerRow.length)
    const floats = inputBinding()
    let vectors: Parameters<typeof emitScaledError>[2] | undefined
    const binding: BlockBinding = {
      ...floats,
      linears: (graph, x, linears) =>
        linears.flatMap((linear) => {
          if (!group.consumers.includes(linear.name)) return floats.linears(graph, x, [linear])
          vectors ??= {
            scale: graph.input('scale', 'float32', [padded]),
            inverse: graph.input('inverse', 'float32', [padded]),
          }
          const [rows, width] = linear.shape
          const coded = graph.input(`${linear.name}.coded`, 'float32', [rows, padded])
          const error = emitScaledError(graph, coded, vectors, { ...form, groupSize })
          const cut =
            padded === width
              ? error
              : graph.addAll(
                  'Split',
                  [error, graph.constant('int64', [2], [width, padded - width])],
                  { axis: 1 },
                  {
                    outputs: 2,
                  },
                )[0]!
          const weight = graph.add('Add', [graph.input(`${linear.name}.weight`, 'float32', linear.shape), cut])
          const bias = linear.bias ? graph.input(`${linear.name}.bias`, 'float32', [rows]) : undefined
          return [emitLinear(graph, x, weight, bias)]
        }),
    }
    return emitBlockPart(structure, group.site, binding, (graph, output) => {
      const reference = graph.input('reference', 'float32', ['batch', 'sequence', structure.config.hiddenSize])
      const difference = graph.add('Sub', [output, reference])
      graph.output('loss', graph.add('ReduceSum', [graph.add('Mul', [difference, difference])], { keepdims: 0 }))
    }).toBytes()
  })
