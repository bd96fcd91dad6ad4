/**
 * How GPTQ lays out a matrix [out, in]: codes are packed along the inputs, zero points along the outputs, as bit streams in
 * 32-bit words; scales are [groups, out]. Version 1 stores zero points less one, version 2 as they are.
 * @module
 */
import { AwqError, groupCount, type QuantizedMatrix, transposed } from '@awq/tensor'
import { inverseOrder, moveColumns } from '../packed/group-index.ts'
import { type Lines, packLines, unpackLines, wordsOf } from '../packed/lines.ts'

/** The tensors of one matrix. */
export interface GptqTensors {
  /** int32 [ceil(in * bits / 32), out] */
  readonly qweight: Uint32Array
  /** int32 [groups, ceil(out * bits / 32)] */
  readonly qzeros: Uint32Array
  /** float16 [groups, out] */
  readonly scales: Uint16Array
}

/** How zero points are stored. */
export type GptqVersion = 1 | 2

/** What decides how a matrix lies in its tensors. */
export type GptqShape = Pick<QuantizedMatrix, 'bits' | 'groupSize' | 'shape'>

/** The shapes of the tensors of a matrix. */
export const gptqShapes = (matrix: GptqShape): Record<keyof GptqTensors, readonly [number, number]> => {
  const { bits, shape } = matrix
  const [out, width] = shape
  const groups = groupCount(matrix)
  return { qweight: [wordsOf(width, bits), out], qzeros: [groups, wordsOf(out, bits)], scales: [groups, out] }
}

const codeLines = ([out, width]: QuantizedMatrix['shape']): Lines => ({
  lines: out,
  count: width,
  wordSteps: [1, out],
  codeSteps: [width, 1],
})

/** Zero points are ours [out, groups], line by line of a group. */
const zeroLines = ({ bits, shape: [out] }: GptqShape, groups: number): Lines => ({
  lines: groups,
  count: out,
  wordSteps: [wordsOf(out, bits), 1],
  codeSteps: [1, groups],
})

/** The group of every column of the model, of a matrix whose columns are in `order`. */
export const groupsOfOrder = (order: Int32Array | null | undefined, groupSize: number, width: number): Int32Array => {
  const groups = new Int32Array(width)
  for (let place = 0; place < width; place++) groups[order?.[place] ?? place] = Math.floor(place / groupSize)
  return groups
}

/** One in every field of a word. */
const onesOf = (bits: number): number => {
  let ones = 0
  for (let at = 0; at < 32; at += bits) ones |= 1 << at
  return ones
}

/** Zero points of version 1 as they are stored. */
const lessOne = (zeros: Uint8Array): Uint8Array => {
  if (zeros.includes(0))
    throw new AwqError('UNSUPPORTED', 'version 1 of GPTQ cannot hold a zero point of 0; use gptq-v2')
  return zeros.map((zero) => zero - 1)
}

/**
 * Zero points of version 1, from the words that hold them less one. Where a zero point was 0 gptqmodel borrowed from the next
 * field of its word, and gives back by adding to whole words; at 3 bits, whose fields cross words, each field stands alone.
 */
const plusOne = (words: Uint32Array, lines: Lines, bits: number): Uint8Array => {
  if (bits === 3) return unpackLines(words, lines, bits).map((zero) => (zero + 1) & 7)
  const ones = onesOf(bits)
  return unpackLines(
    words.map((word) => word + ones),
    lines,
    bits,
  )
}

/**
 * The tensors of a matrix. Columns go where the model's inputs are; `groupsOfOrder` is what says their groups.
 * @throws AwqError UNSUPPORTED for a zero point of 0 in version 1
 */
export const packGptq = (matrix: QuantizedMatrix, version: GptqVersion): GptqTensors => {
  const { bits, shape, scales, zeroPoints, inputOrder } = matrix
  const groups = groupCount(matrix)
  const codes = inputOrder ? moveColumns(matrix.codes, shape[1], inverseOrder(inputOrder)) : matrix.codes
  const zeros = zeroPoints ?? new Uint8Array(shape[0] * groups).fill(2 ** (bits - 1))
  return {
    qweight: packLines(codes, codeLines(shape), bits),
    qzeros: packLines(version === 1 ? lessOne(zeros) : zeros, zeroLines(matrix, groups), bits),
    scales: transposed(scales, shape[0], groups),
  }
}

/** The zero points [out, groups] of a matrix. */
export const unpackGptqZeros = (qzeros: Uint32Array, shape: GptqShape, version: GptqVersion): Uint8Array => {
  const lines = zeroLines(shape, groupCount(shape))
  return version === 1 ? plusOne(qzeros, lines, shape.bits) : unpackLines(qzeros, lines, shape.bits)
}

/** The codes [out, in] of a matrix, columns where the model's inputs are. */
export const unpackGptqCodes = (qweight: Uint32Array, { bits, shape }: GptqShape): Uint8Array =>
  unpackLines(qweight, codeLines(shape), bits)
