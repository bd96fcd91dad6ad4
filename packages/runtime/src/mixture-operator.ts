/**
 * A mixture of experts by ONNX Runtime's operator QMoE (com.microsoft, ContribOperators.md), over the same bytes as expert by
 * expert. Its kernels compute the chosen experts alone.
 *
 * The operator routes by itself: the experts with the largest logits, weighted by the softmax over these. Given the logarithms
 * of the weights that a `route` step made, it finds the same experts, and weights that are those divided by their sum, which
 * multiplies what comes out: so every kind of routing is served.
 * @module
 */
import {
  type ActivationType,
  type ExpertsStep,
  expertName,
  type LinearSpec,
  type ModelDescription,
  type SwigluExperts,
  swigluOf,
} from '@awq/models'
import { type Graph, int64s, type OnnxType, reshape, scalar, type Value } from '@awq/onnx'
import type { MixtureKernel } from '@awq/ort'
import { adjoiningRange } from '@awq/quantize'
import type { FileRange } from '@awq/tensor'
import type { Accuracy } from './bindings.ts'
import { centerCodes } from './centered-codes.ts'
import type { WeightLinks } from './weight-links.ts'
import type { PackedMatrix, WeightTable } from './weight-table.ts'
import { widenCodes } from './widen-codes.ts'

/** What decides whether a mixture can be one operator. */
export interface MixtureSource {
  readonly table: WeightTable
  readonly accuracy: Accuracy
  readonly dtype?: ActivationType | undefined
  /** The kernel; null or absent for none. */
  readonly mixture?: MixtureKernel | null | undefined
}

/** The full name of a parameter of a block. */
type Named = (name: string) => string

/** A mixture that one operator computes: matrices of all experts, one list for each linear. */
export interface OperatorMixture {
  readonly experts: SwigluExperts
  readonly kernel: MixtureKernel
  /** How many experts a token goes to. */
  readonly chosen: number
  readonly first: readonly (readonly PackedMatrix[])[]
  readonly down: readonly PackedMatrix[]
}

const alike = (matrices: readonly PackedMatrix[]): boolean =>
  matrices.every(
    ({ storedBits, blockSize, zeroPoints, denseColumns, inputOrder }) =>
      storedBits === matrices[0]!.storedBits &&
      blockSize === matrices[0]!.blockSize &&
      (zeroPoints === null) === (matrices[0]!.zeroPoints === null) &&
      denseColumns === null &&
      inputOrder === null,
  )

/** Whether a kernel takes matrices like this one. */
const takes = (kernel: MixtureKernel, { storedBits, blockSize, blocks, shape, zeroPoints }: PackedMatrix): boolean =>
  kernel.blockSizes.includes(blockSize) &&
  blocks * blockSize === shape[1] &&
  shape[1] % kernel.widthsOf === 0 &&
  // Rows of zero points are whole bytes, also when codes are widened to 4 bits.
  (zeroPoints === null || (kernel.zeroPoints ? (blocks * Math.max(4, storedBits)) % 8 === 0 : storedBits <= 4))

/** The matrices of a mixture, if the operator can say what they compute and the kernel takes them. */
const matricesOf = (source: MixtureSource, named: Named, step: ExpertsStep): OperatorMixture | undefined => {
  const { table, accuracy, dtype = 'float32', mixture: kernel } = source
  if (!kernel?.activations.includes(dtype) || (kernel.rounds && accuracy === 'exact')) return undefined
  const experts = step.experts <= kernel.mostExperts ? swigluOf(step) : undefined
  if (!experts) return undefined
  const numbers = Array.from({ length: step.experts }, (_, expert) => expert)
  const { inputScale } = experts
  if (inputScale !== undefined && numbers.some((expert) => table.has(named(expertName(inputScale, expert))))) {
    return undefined
  }
  const listOf = ({ name, shape, transposed }: LinearSpec) =>
    numbers.map((expert) => table.find(named(`${expertName(name, expert)}.weight`), shape, transposed))
  const lists = [...experts.first, experts.down].map(listOf)
  const all = lists.flat().filter((matrix) => matrix.kind === 'packed')
  if (all.length !== lists.flat().length || !alike(all) || !all.every((matrix) => takes(kernel, matrix))) {
    return undefined
  }
  const [first, down] = [all[0]!, all.at(-1)!]
  // One block in a row of the first reads as no blocks at all.
  if (first.blocks === 1 && (down.blocks > 1 || first.zeroPoints !== null)) return undefined
  const packed = lists as (readonly PackedMatrix[])[]
  return { experts, kernel, chosen: step.chosen, first: packed.slice(0, -1), down: packed.at(-1)! }
}

/** The mixtures of a model, if the operator computes every one; none for a model without. */
export const operatorMixtures = (source: MixtureSource, description: ModelDescription): readonly OperatorMixture[] => {
  const mixtures = description.blocks.flatMap(({ steps }, layer) =>
    steps.flatMap((step) =>
      step.step === 'experts' ? [matricesOf(source, (name) => description.parameter(layer, name), step)] : [],
    ),
  )
  return mixtures.every((mixture) => mixture !== undefined) ? mixtures : []
}

/** Whether the operator computes every mixture of a model; false for a model without. */
export const mixesByOperator = (source: MixtureSource, description: ModelDescription): boolean =>
  operatorMixtures(source, description).length > 0

/** One tensor of all experts, `[experts * rows, ...]`. */
const stack = (
  graph: Graph,
  links: WeightLinks,
  names: readonly string[],
  spans: readonly FileRange[],
  dtype: OnnxType,
  shape: readonly [rows: number, ...rest: number[]],
): Value => {
  const [rows, ...rest] = shape
  const whole = adjoiningRange(spans)
  if (whole) return graph.external(names[0]!, dtype, [spans.length * rows, ...rest], links.link(whole))
  const parts = spans.map((span, expert) => graph.external(names[expert]!, dtype, shape, links.link(span)))
  return parts.length === 1 ? parts[0]! : graph.add('Concat', parts, { axis: 0 })
}

/** Rows of several tensors `[experts * rows, width]` in turn, `[experts, rows of all, width]`. */
const deal = (graph: Graph, tensors: readonly Value[], experts: number): Value => {
  const [total, width = 1] = tensors[0]!.shape as number[]
  const rows = total! / experts
  const byRow = tensors.map((tensor) => reshape(graph, tensor, [experts, rows, 1, width]))
  const dealt = byRow.length === 1 ? byRow[0]! : graph.add('Concat', byRow, { axis: 2 })
  return reshape(graph, dealt, [experts, rows * tensors.length, width])
}

/** Codes, scales and zero points of one of the operator's two layers. */
const emitLayer = (
  graph: Graph,
  links: WeightLinks,
  lists: readonly (readonly PackedMatrix[])[],
  names: readonly (readonly string[])[],
  kernel: MixtureKernel,
  dtype: ActivationType,
) => {
  const parts = lists.map((matrices, i) => {
    const { storedBits, blocks, blockSize, shape, zeroPoints } = matrices[0]!
    const rows = shape[0]
    const tensorOf = (part: string, spans: readonly FileRange[], type: OnnxType, width: number) =>
      stack(
        graph,
        links,
        names[i]!.map((name) => `${name}.weight.${part}`),
        spans,
        type,
        [rows, width],
      )
    const spansOf = (part: 'codes' | 'scales' | 'zeroPoints') => matrices.map((matrix) => matrix[part] as FileRange)
    const stored = {
      codes: tensorOf('codes', spansOf('codes'), 'uint8', (blocks * blockSize * storedBits) / 8),
      zeroPoints: zeroPoints
        ? tensorOf('zeroPoints', spansOf('zeroPoints'), 'uint8', Math.ceil((blocks * storedBits) / 8))
        : null,
    }
    const half = tensorOf('scales', spansOf('scales'), 'float16', blocks)
    const scales = dtype === 'float16' ? half : graph.add('Cast', [half], { to: dtype })
    const packed = storedBits === 2 ? widenCodes(graph, stored, blocks) : stored
    const bits = storedBits === 2 ? 4 : storedBits
    return packed.zeroPoints && !kernel.zeroPoints
      ? { bits: 8, scales, codes: centerCodes(graph, packed.codes, packed.zeroPoints, blocks), zeroPoints: null }
      : { bits, scales, ...packed }
  })
  const experts = lists[0]!.length
  const all = (part: 'codes' | 'scales' | 'zeroPoints') =>
    deal(
      graph,
      parts.map((values) => values[part] as Value),
      experts,
    )
  return {
    bits: parts[0]!.bits,
    codes: all('codes'),
    scales: all('scales'),
    zeroPoints: parts[0]!.zeroPoints ? all('zeroPoints') : null,
  }
}

/** The least weight that has a logarithm in a type. */
const TINY: Readonly<Record<ActivationType, number>> = { float32: 1e-30, float16: 2 ** -24 }

/**
 * Adds a mixture to a graph as one operator.
 * @param x `[batch, sequence, hidden]`
 * @param routing `[batch, sequence, experts]`: zero for experts that are not chosen
 * @param vector a dense vector of the block, by name
 */
export const emitOperator = (
  graph: Graph,
  links: WeightLinks,
  { experts, kernel, chosen, first, down }: OperatorMixture,
  named: Named,
  vector: (graph: Graph, name: string, length: number) => Value,
  x: Value,
  routing: Value,
): Value => {
  const dtype = x.dtype as ActivationType
  const count = down.length
  const numbers = Array.from({ length: count }, (_, expert) => expert)
  const namesOf = ({ name }: LinearSpec) => numbers.map((expert) => named(expertName(name, expert)))
  const biasesOf = ({ name, shape, bias }: LinearSpec): Value | null =>
    bias
      ? graph.add(
          'Concat',
          numbers.map((expert) => vector(graph, `${expertName(name, expert)}.bias`, shape[0])),
          { axis: 0 },
        )
      : null
  const biasOf = (linears: readonly LinearSpec[]): Value | null => {
    const biases = linears.map(biasesOf).filter((bias) => bias !== null)
    if (biases.length < linears.length) return null
    const rows = linears.reduce((sum, { shape }) => sum + shape[0], 0)
    return reshape(graph, deal(graph, biases, count), [count, rows])
  }
  const one = emitLayer(graph, links, first, experts.first.map(namesOf), kernel, dtype)
  const two = emitLayer(graph, links, [down], [namesOf(experts.down)], kernel, dtype)
  const { alpha, beta, limit } = experts
  const weights = graph.add('Clip', [reshape(graph, routing, [-1, count]), scalar(graph, dtype, TINY[dtype]), null])
  const mixed = graph.add(
    'QMoE',
    [
      x,
      graph.add('Log', [weights]),
      ...[one.codes, one.scales, biasOf(experts.first)],
      ...[two.codes, two.scales, biasOf([experts.down])],
      ...[null, null, null],
      ...[one.zeroPoints, two.zeroPoints],
    ],
    {
      k: chosen,
      normalize_routing_weights: 1,
      expert_weight_bits: one.bits,
      block_size: down[0]!.blockSize,
      weights_prepacked: 0,
      activation_type: 'swiglu',
      swiglu_fusion: 1,
      activation_alpha: alpha,
      activation_beta: beta,
      ...(limit === undefined ? {} : { swiglu_limit: limit }),
    },
  )
  return graph.add('Mul', [mixed, graph.add('ReduceSum', [routing, int64s(graph, [-1])], { keepdims: 1 })])
}

/**
 * Adds a mixture to a graph as one operator, as `emitOperator` does; undefined, and nothing added, where that can not be.
 */
export const emitMixtureOperator = (
  graph: Graph,
  links: WeightLinks,
  source: MixtureSource,
  named: Named,
  vector: (graph: Graph, name: string, length: number) => Value,
  x: Value,
  routing: Value,
  step: ExpertsStep,
): Value | undefined => {
  const mixture = matricesOf(source, named, step)
  return mixture && emitOperator(graph, links, mixture, named, vector, x, routing)
}
