/**
 * Binds the parameters of a weight table to graphs as external initializers: the graphs hold no weights, only where they
 * are.
 * @module
 */

import {
  type ActivationType,
  type BlockBinding,
  emitLinear,
  type LinearSpec,
  type ModelDescription,
  type OuterBinding,
} from '@awq/models'
import { type Graph, type OnnxType, reshape, scalar, slice, type Value } from '@awq/onnx'
import type { MixtureKernel } from '@awq/ort'
import { adjoiningRange } from '@awq/quantize'
import { AwqError, type DType, type FileRange } from '@awq/tensor'
import { emitColumns, joinColumns, withoutColumns } from './dense-columns.ts'
import { orderedInput, sameOrder } from './input-order.ts'
import { emitMixtureOperator } from './mixture-operator.ts'
import type { WeightLinks } from './weight-links.ts'
import type { DenseTensor, PackedMatrix, WeightTable } from './weight-table.ts'
import { widenCodes } from './widen-codes.ts'

/** `exact` computes in float32; `fast` rounds activations to 8 bits, block by block of the input. */
export type Accuracy = 'exact' | 'fast'

/** Values of MatMulNBits' accuracy_level: 1 is float32, 4 is int8. Always written: its default differs by provider. */
const accuracyLevel: Record<Accuracy, number> = { exact: 1, fast: 4 }

/** What bindings need of a model. */
export interface BindingSource {
  readonly description: ModelDescription
  readonly table: WeightTable
  readonly accuracy: Accuracy
  /** Bits of the narrowest codes that the device's kernels take: narrower ones are widened at load. Default 2. */
  readonly narrowest?: 2 | 4 | undefined
  /**
   * Unpack matrices of 8 bits to float32 at load where products are exact: ONNX Runtime's CPU kernel unpacks the whole
   * matrix at every run (0.1 s for a head of 49,152 x 576). Default false.
   */
  readonly unpackEightBits?: boolean | undefined
  /** Types of float tables that the device looks rows up in; of others the whole table is converted at load. Default: all. */
  readonly tables?: readonly OnnxType[] | undefined
  /** The kernel that computes mixtures of experts whole, where it can; none by default. */
  readonly mixture?: MixtureKernel | null | undefined
  /** Element type of the activations that the parameters meet; float32 by default. */
  readonly dtype?: ActivationType | undefined
}

const onnxTypes: Partial<Record<DType, OnnxType>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
}

/** A dense tensor in the type it is stored in. */
const emitStored = (graph: Graph, links: WeightLinks, { entry }: DenseTensor): Value => {
  const dtype = onnxTypes[entry.dtype]
  if (!dtype) {
    throw new AwqError(
      'UNSUPPORTED',
      `${entry.file}: ${entry.name} is ${entry.dtype}; a model runs with F32, F16, BF16 or F64 weights. Convert it.`,
    )
  }
  return graph.external(entry.name, dtype, entry.shape, links.link(entry))
}

/** A parameter in the type of the activations; folded at load, because parameters are constants. */
const cast = (graph: Graph, x: Value, dtype: ActivationType): Value =>
  x.dtype === dtype ? x : graph.add('Cast', [x], { to: dtype })

/** A dense vector or matrix in the type of the activations. */
const emitDense = (graph: Graph, links: WeightLinks, tensor: DenseTensor, dtype: ActivationType): Value =>
  cast(graph, emitStored(graph, links, tensor), dtype)

/** Siblings as one matrix over the same bytes, where they lie side by side and are quantized alike. */
export const joinMatrices = (matrices: readonly PackedMatrix[]): PackedMatrix | undefined => {
  const [first] = matrices
  if (!first) return undefined
  const alike = (other: PackedMatrix) =>
    other.storedBits === first.storedBits &&
    other.blockSize === first.blockSize &&
    other.blocks === first.blocks &&
    other.shape[1] === first.shape[1] &&
    (other.zeroPoints === null) === (first.zeroPoints === null) &&
    sameOrder(other.inputOrder, first.inputOrder)
  if (!matrices.every(alike)) return undefined
  const codes = adjoiningRange(matrices.map((matrix) => matrix.codes))
  const scales = adjoiningRange(matrices.map((matrix) => matrix.scales))
  const zeroPoints = first.zeroPoints && adjoiningRange(matrices.map((matrix) => matrix.zeroPoints as FileRange))
  const denseColumns = joinColumns(matrices.map((matrix) => matrix.denseColumns))
  if (!codes || !scales || (first.zeroPoints && !zeroPoints) || denseColumns === undefined) return undefined
  const rows = matrices.reduce((sum, matrix) => sum + matrix.shape[0], 0)
  return { ...first, shape: [rows, first.shape[1]], codes, scales, zeroPoints, denseColumns }
}

interface PackedValues {
  /** Bits per code. */
  readonly bits: number
  readonly codes: Value
  readonly scales: Value
  readonly zeroPoints: Value | null
}

/** Codes, scales (in the type of the activations) and zero points of a packed matrix, codes as wide as `narrowest` or more. */
const emitPacked = (
  graph: Graph,
  links: WeightLinks,
  name: string,
  matrix: PackedMatrix,
  codesShape: readonly number[],
  dtype: ActivationType,
  narrowest: 2 | 4,
): PackedValues => {
  const { storedBits, blocks } = matrix
  const [out] = matrix.shape
  const scales = graph.external(`${name}.scales`, 'float16', [out, blocks], links.link(matrix.scales))
  const stored = {
    codes: graph.external(`${name}.codes`, 'uint8', codesShape, links.link(matrix.codes)),
    zeroPoints:
      matrix.zeroPoints &&
      graph.external(
        `${name}.zeroPoints`,
        'uint8',
        [out, Math.ceil((blocks * storedBits) / 8)],
        links.link(matrix.zeroPoints),
      ),
  }
  const bits = Math.max(storedBits, narrowest)
  return {
    bits,
    scales: cast(graph, scales, dtype),
    ...(bits > storedBits ? widenCodes(graph, stored, blocks) : stored),
  }
}

/** An 8-bit matrix as a dense one; nodes over constants, which ONNX Runtime computes while it loads the graph. */
const emitUnpacked = (
  graph: Graph,
  links: WeightLinks,
  name: string,
  matrix: PackedMatrix,
  dtype: ActivationType,
): Value => {
  const { blockSize, blocks } = matrix
  const [rows, width] = matrix.shape
  const shape = [rows, blocks, blockSize]
  const { codes, scales, zeroPoints } = emitPacked(graph, links, name, matrix, shape, dtype, 2)
  const byBlock = (x: Value): Value => reshape(graph, x, [rows, blocks, 1])
  const zero = zeroPoints ? byBlock(cast(graph, zeroPoints, dtype)) : scalar(graph, dtype, 128)
  const weights = graph.add('Mul', [graph.add('Sub', [cast(graph, codes, dtype), zero]), byBlock(scales)])
  const padded = reshape(graph, weights, [rows, blocks * blockSize])
  return blocks * blockSize === width ? padded : slice(graph, padded, { axis: 1, start: 0, end: width })
}

/** `x W^T + b`, W a packed matrix with any dense columns it has, in the type of `x`, which is in the matrix' order. */
const emitProduct = (
  graph: Graph,
  links: WeightLinks,
  x: Value,
  name: string,
  matrix: PackedMatrix,
  bias: Value | null,
  source: Pick<BindingSource, 'accuracy' | 'narrowest' | 'unpackEightBits'>,
): Value => {
  const { denseColumns, shape } = matrix
  if (!denseColumns) return emitCoded(graph, links, x, name, matrix, bias, source)
  const input = source.accuracy === 'fast' ? withoutColumns(graph, x, denseColumns, shape[1]) : x
  return graph.add('Add', [
    emitCoded(graph, links, input, name, matrix, bias, source),
    emitColumns(graph, links, x, name, denseColumns, shape[0]),
  ])
}

/** `x W^T + b`, W the codes of a packed matrix, in the type of `x`. */
const emitCoded = (
  graph: Graph,
  links: WeightLinks,
  x: Value,
  name: string,
  matrix: PackedMatrix,
  bias: Value | null,
  source: Pick<BindingSource, 'accuracy' | 'narrowest' | 'unpackEightBits'>,
): Value => {
  const { accuracy, narrowest = 2, unpackEightBits = false } = source
  const { storedBits, blockSize, blocks } = matrix
  const [out, width] = matrix.shape
  const dtype = x.dtype as ActivationType
  if (unpackEightBits && storedBits === 8 && accuracy === 'exact') {
    return emitLinear(graph, x, emitUnpacked(graph, links, name, matrix, dtype), bias ?? undefined)
  }
  const shape = [out, blocks, (blockSize * storedBits) / 8]
  const { bits, codes, scales, zeroPoints } = emitPacked(graph, links, name, matrix, shape, dtype, narrowest)
  return graph.add('MatMulNBits', [x, codes, scales, zeroPoints, null, bias], {
    K: width,
    N: out,
    bits,
    block_size: blockSize,
    accuracy_level: accuracyLevel[accuracy],
  })
}

/** Parameters of block `layer`. Packed siblings that lie side by side become one product. */
export const blockBinding = (source: BindingSource, links: WeightLinks, layer: number): BlockBinding =>
  namedBinding(source, links, (name) => source.description.parameter(layer, name))

/** Parameters of tower and projector, by their full names. */
export const visionBinding = (source: BindingSource, links: WeightLinks): BlockBinding =>
  namedBinding(source, links, (name) => name)

/** Parameters of steps by what `named` makes of their names. */
const namedBinding = (
  { table, dtype = 'float32', ...rest }: BindingSource,
  links: WeightLinks,
  named: (name: string) => string,
): BlockBinding => {
  const source = { table, dtype, ...rest }
  const matrix = (graph: Graph, name: string, shape: readonly number[]): Value =>
    emitDense(graph, links, denseOf(table, named(name), shape), dtype)
  const vector = (graph: Graph, name: string, length: number): Value => matrix(graph, name, [length])
  const biasOf = (graph: Graph, { name, shape, bias }: LinearSpec): Value | null =>
    bias ? vector(graph, `${name}.bias`, shape[0]) : null
  /** The biases of siblings side by side, zeros for those without; null when none has one. */
  const joinedBias = (graph: Graph, linears: readonly LinearSpec[]): Value | null => {
    if (!linears.some(({ bias }) => bias)) return null
    const parts = linears.map(
      (linear) =>
        biasOf(graph, linear) ?? graph.constant(dtype, [linear.shape[0]], new Array<number>(linear.shape[0]).fill(0)),
    )
    return graph.add('Concat', parts, { axis: 0 })
  }
  return {
    vector,
    matrix,
    optionalVector: (graph, name, length) => (table.has(named(name)) ? vector(graph, name, length) : null),
    mixture: (graph, x, routing, step) => emitMixtureOperator(graph, links, source, named, vector, x, routing, step),
    linears(graph, x, linears) {
      const inOrder = orderedInput(graph, x)
      const weights = linears.map(({ name, shape, transposed }) =>
        table.find(named(`${name}.weight`), shape, transposed),
      )
      const packed = weights.filter((weight) => weight.kind === 'packed')
      const joined = packed.length > 1 && packed.length === weights.length ? joinMatrices(packed) : undefined
      if (joined) {
        const name = named(linears.map((linear) => linear.name).join('/'))
        return [emitProduct(graph, links, inOrder(joined.inputOrder), name, joined, joinedBias(graph, linears), source)]
      }
      return linears.map((linear, i) => {
        const weight = weights[i] as PackedMatrix | DenseTensor
        const bias = biasOf(graph, linear)
        return weight.kind === 'packed'
          ? emitProduct(graph, links, inOrder(weight.inputOrder), named(`${linear.name}.weight`), weight, bias, source)
          : emitLinear(graph, x, emitDense(graph, links, weight, dtype), bias ?? undefined, linear.transposed)
      })
    },
  }
}

const denseOf = (table: WeightTable, name: string, shape: readonly number[]): DenseTensor => {
  const found = table.find(name, shape)
  if (found.kind === 'packed') throw new AwqError('UNSUPPORTED', `${name} is quantized, but only matrices can be.`)
  return found
}

/** Embedding, head, and the steps around the blocks. Tied tables are one set of bytes, read by rows and as a matrix. */
export const outerBinding = (source: BindingSource, links: WeightLinks): OuterBinding => {
  const { description, table, dtype = 'float32', narrowest = 2, tables } = source
  const { vocabSize, embeddingSize } = description.config
  const { headBias } = description.outer
  const shape = [vocabSize, embeddingSize]
  // A graph that embeds and has a tied head names the float table once.
  const stored = new WeakMap<Graph, Value>()
  const tableOf = (graph: Graph, tensor: DenseTensor): Value => {
    if (description.head !== description.embedding) return emitStored(graph, links, tensor)
    const value = stored.get(graph) ?? emitStored(graph, links, tensor)
    stored.set(graph, value)
    return value
  }
  const steps = namedBinding(source, links, (name) => name)
  const rowsOf = (graph: Graph, all: Value, ids: Value): Value =>
    tables && !tables.includes(all.dtype)
      ? graph.add('Gather', [cast(graph, all, dtype), ids], { axis: 0 })
      : cast(graph, graph.add('Gather', [all, ids], { axis: 0 }), dtype)
  return {
    ...steps,
    embed(graph, ids) {
      const weight = table.find(description.embedding, shape)
      return weight.kind === 'packed'
        ? emitPackedRows(graph, links, ids, `${description.embedding}.rows`, weight, dtype, narrowest)
        : rowsOf(graph, tableOf(graph, weight), ids)
    },
    head(graph, hidden) {
      const weight = table.find(description.head, shape)
      const bias = headBias === null ? null : steps.vector(graph, headBias, vocabSize)
      return weight.kind === 'packed'
        ? emitProduct(
            graph,
            links,
            orderedInput(graph, hidden)(weight.inputOrder),
            `${description.head}.head`,
            weight,
            bias,
            source,
          )
        : emitLinear(graph, hidden, cast(graph, tableOf(graph, weight), dtype), bias ?? undefined)
    },
  }
}

/** Rows of a packed table; a width that is no multiple of the block comes padded and is cut. */
const emitPackedRows = (
  graph: Graph,
  links: WeightLinks,
  ids: Value,
  name: string,
  matrix: PackedMatrix,
  dtype: ActivationType,
  narrowest: 2 | 4,
): Value => {
  const { storedBits, blockSize, blocks } = matrix
  const [rows, width] = matrix.shape
  if (matrix.inputOrder) {
    throw new AwqError('UNSUPPORTED', `${name}: an embedding table has no inputs that could come in another order`)
  }
  const padded = blocks * blockSize
  const shape = [rows, (padded * storedBits) / 8]
  const { bits, codes, scales, zeroPoints } = emitPacked(graph, links, name, matrix, shape, dtype, narrowest)
  const gathered = graph.add('GatherBlockQuantized', [codes, ids, scales, zeroPoints], {
    bits,
    block_size: blockSize,
    gather_axis: 0,
    quantize_axis: 1,
  })
  if (padded === width) return gathered
  return slice(graph, gathered, { axis: -1, start: 0, end: width })
}
