/**
 * How AutoAWQ lays out a matrix [out, in] of 4 bits.
 *
 * - GEMM packs codes and zero points along the outputs, eight to a word in the order 0 2 4 6 1 3 5 7;
 * - GEMV packs them along the inputs and along the groups in their natural order, and pads the groups;
 * - GEMV_FAST, which llm-awq calls version 2, packs four rows to a 16-bit word, inputs shuffled within each 32, and holds zero
 *   points multiplied: -scale * zero in float16, in llm-awq also bfloat16.
 * @module
 */
import {
  AwqError,
  float16BitsToFloat32,
  float32ToFloat16Bits,
  fromFloat32,
  groupCount,
  type QuantizedMatrix,
  toFloat32,
  transposed,
} from '@awq/tensor'
import { alongRows, packLines, unpackLines } from '../packed/lines.ts'

/** The layouts. */
export type AutoAwqLayout = 'gemm' | 'gemv' | 'gemv_fast'

/** The tensors of one matrix. */
export interface AutoAwqTensors {
  /** int32; int16 for GEMV_FAST */
  readonly qweight: Uint32Array | Uint16Array
  /** int32; for GEMV_FAST float16 */
  readonly qzeros: Uint32Array | Uint16Array
  /** float16 */
  readonly scales: Uint16Array
}

/** What decides how a matrix lies in its tensors. */
export type AutoAwqShape = Pick<QuantizedMatrix, 'groupSize' | 'shape'>

const BITS = 4
/** Which of eight neighbours each nibble of a word holds. */
const ORDER = [0, 2, 4, 6, 1, 3, 5, 7] as const

/** Groups of a row that GEMV and GEMV_FAST keep room for: eight times 1, 2 or 4 by the group size. */
export const paddedGroups = ({ groupSize, shape }: AutoAwqShape): number => {
  const multiple = groupSize >= 128 ? 1 : groupSize >= 64 ? 2 : 4
  const words = Math.ceil(Math.floor(shape[1] / groupSize) / 8)
  return Math.ceil(words / multiple) * multiple * 8
}

/** The shapes of the tensors of a matrix. */
export const autoAwqShapes = (
  layout: AutoAwqLayout,
  matrix: AutoAwqShape,
): Record<keyof AutoAwqTensors, readonly [number, number]> => {
  const [out, width] = matrix.shape
  const groups = groupCount(matrix)
  const padded = paddedGroups(matrix)
  switch (layout) {
    case 'gemm':
      return { qweight: [width, out / 8], qzeros: [groups, out / 8], scales: [groups, out] }
    case 'gemv':
      return { qweight: [out, width / 8], qzeros: [out, padded / 8], scales: [out, padded] }
    case 'gemv_fast':
      return { qweight: [out / 4, width], qzeros: [padded, out], scales: [padded, out] }
  }
}

/** Why a layout cannot hold a matrix of this shape, else null. */
export const autoAwqProblem = (layout: AutoAwqLayout, { groupSize, shape }: AutoAwqShape): string | null => {
  const [out, width] = shape
  if (width % groupSize !== 0) return `its ${width} inputs are no multiple of the group size ${groupSize}`
  if (out % 8 !== 0) return `its ${out} rows are no multiple of 8`
  if (layout === 'gemv' && width % 8 !== 0) return `its ${width} inputs are no multiple of 8`
  if (layout === 'gemv_fast' && width % 64 !== 0) return `its ${width} inputs are no multiple of 64`
  if (layout !== 'gemm' && groupSize < 32) return `GEMV has no groups of ${groupSize}`
  return null
}

/** Words [columns, rows / 8] of values [rows, columns]: eight rows in a word, in AutoAWQ's order. */
const packColumns = (values: Uint8Array, rows: number, columns: number): Uint32Array => {
  const words = new Uint32Array((columns * rows) / 8)
  for (let block = 0; block < rows / 8; block++)
    for (const [nibble, row] of ORDER.entries()) {
      const from = (block * 8 + row) * columns
      for (let column = 0; column < columns; column++)
        words[(column * rows) / 8 + block]! |= values[from + column]! << (nibble * BITS)
    }
  return words
}

/** The reverse of `packColumns`. */
const unpackColumns = (words: Uint32Array, rows: number, columns: number): Uint8Array => {
  const values = new Uint8Array(rows * columns)
  for (let block = 0; block < rows / 8; block++)
    for (const [nibble, row] of ORDER.entries()) {
      const to = (block * 8 + row) * columns
      for (let column = 0; column < columns; column++)
        values[to + column] = (words[(column * rows) / 8 + block]! >>> (nibble * BITS)) & 15
    }
  return values
}

/** Rows of `width` values with zeros behind them up to `room`, or without them again. */
const resized = <T extends Uint8Array | Uint16Array>(values: T, rows: number, width: number, room: number): T => {
  if (width === room) return values
  const result = new (values.constructor as new (length: number) => T)(rows * room)
  for (let row = 0; row < rows; row++)
    result.set(values.subarray(row * width, row * width + Math.min(width, room)), row * room)
  return result
}

/**
 * Which input of 32 lies at each place of GEMV_FAST: pairs of neighbours are spread over the four eighths, then each eight are
 * taken in AutoAWQ's order.
 */
const SHUFFLE: readonly number[] = Array.from({ length: 32 }, (_, place) => {
  const eighth = Math.floor(place / 8)
  const spread = ORDER[place % 8]!
  return Math.floor(spread / 2) * 8 + eighth * 2 + (spread % 2)
})

/** Calls back with the row, input, word and shift of every code of GEMV_FAST: 64 inputs of four rows are 64 words. */
const eachFast = ([out, width]: QuantizedMatrix['shape'], visit: (at: number, word: number, shift: number) => void) => {
  for (let row = 0; row < out; row++)
    for (let place = 0; place < width; place++) {
      const input = place - (place % 32) + SHUFFLE[place % 32]!
      // Four rows of a stretch of 64 places lie one after the other, and four neighbours make a word.
      const index = (place - (place % 64)) * 4 + (row % 4) * 64 + (place % 64)
      const word = Math.floor(row / 4) * width + Math.floor(index / 4)
      visit(row * width + input, word, (index % 4) * BITS)
    }
}

const refuseProduct = (product: number, scale: number): never => {
  throw new AwqError('INVALID_FILE', `the zero point ${product} is no whole number of steps of ${scale} (0 to 15)`)
}

/**
 * -scale * zero in float16, from bfloat16: what llm-awq writes for models of that type.
 * @param float16 the same scales in float16
 * @throws AwqError INVALID_FILE for one that is no whole number of steps
 */
export const float16Products = (products: Uint8Array, scales: Uint8Array, float16: Uint16Array): Uint16Array => {
  const [values, steps] = [toFloat32(products, 'BF16'), toFloat32(scales, 'BF16')]
  const zeros = values.map((value, at) => (value === 0 ? 0 : Math.round(-value / steps[at]!)))
  const again = toFloat32(
    fromFloat32(
      Float32Array.from(zeros, (zero, at) => -steps[at]! * zero),
      'BF16',
    ),
    'BF16',
  )
  return Uint16Array.from(zeros, (zero, at) => {
    if (again[at] !== values[at]) refuseProduct(values[at]!, steps[at]!)
    return float32ToFloat16Bits(-float16BitsToFloat32(float16[at]!) * zero)
  })
}

/** Zero points of GEMV_FAST [out, groups] from -scale * zero. */
const zerosOfProducts = (products: Uint16Array, scales: Uint16Array): Uint8Array =>
  Uint8Array.from(products, (bits, at) => {
    const scale = float16BitsToFloat32(scales[at]!)
    const product = float16BitsToFloat32(bits)
    if (product === 0) return 0
    const zero = Math.round(-product / scale)
    if (zero >= 0 && zero < 16 && float32ToFloat16Bits(-scale * zero) === bits) return zero
    return refuseProduct(product, scale)
  })

/**
 * The tensors of a matrix of 4 bits that has no problem.
 */
export const packAutoAwq = (layout: AutoAwqLayout, matrix: QuantizedMatrix): AutoAwqTensors => {
  const { shape, codes, scales } = matrix
  const [out, width] = shape
  const groups = groupCount(matrix)
  const zeros = matrix.zeroPoints ?? new Uint8Array(out * groups).fill(8)
  const room = paddedGroups(matrix)
  switch (layout) {
    case 'gemm':
      return {
        qweight: packColumns(codes, out, width),
        qzeros: packColumns(zeros, out, groups),
        scales: transposed(scales, out, groups),
      }
    case 'gemv':
      return {
        qweight: packLines(codes, alongRows(out, width, width / 8), BITS),
        qzeros: packLines(resized(zeros, out, groups, room), alongRows(out, room, room / 8), BITS),
        scales: resized(scales, out, groups, room),
      }
    case 'gemv_fast': {
      const qweight = new Uint16Array((out / 4) * width)
      eachFast(shape, (at, word, shift) => {
        qweight[word]! |= codes[at]! << shift
      })
      const products = Uint16Array.from(zeros, (zero, at) =>
        float32ToFloat16Bits(-float16BitsToFloat32(scales[at]!) * zero),
      )
      return {
        qweight,
        qzeros: transposed(resized(products, out, groups, room), out, room),
        scales: transposed(resized(scales, out, groups, room), out, room),
      }
    }
  }
}

/** What tensors of the shapes of `autoAwqShapes` hold. Scales are taken as they are: the caller checks them. */
export const unpackAutoAwq = (
  layout: AutoAwqLayout,
  { qweight, qzeros, scales }: AutoAwqTensors,
  { groupSize, shape }: AutoAwqShape,
): QuantizedMatrix => {
  const [out, width] = shape
  const groups = groupCount({ groupSize, shape })
  const room = paddedGroups({ groupSize, shape })
  const made = (codes: Uint8Array, zeroPoints: Uint8Array, own: Uint16Array): QuantizedMatrix => ({
    ...{ bits: BITS, groupSize, shape, codes, zeroPoints },
    scales: own,
  })
  switch (layout) {
    case 'gemm':
      return made(
        unpackColumns(qweight as Uint32Array, out, width),
        unpackColumns(qzeros as Uint32Array, out, groups),
        transposed(scales, groups, out),
      )
    case 'gemv':
      return made(
        unpackLines(qweight as Uint32Array, alongRows(out, width, width / 8), BITS),
        resized(unpackLines(qzeros as Uint32Array, alongRows(out, room, room / 8), BITS), out, room, groups),
        resized(scales, out, room, groups),
      )
    case 'gemv_fast': {
      const codes = new Uint8Array(out * width)
      eachFast(shape, (at, word, shift) => {
        codes[at] = (qweight[word]! >>> shift) & 15
      })
      const own = (values: Uint16Array) => resized(transposed(values, room, out), out, room, groups)
      const steps = own(scales)
      return made(codes, zerosOfProducts(own(qzeros as Uint16Array), steps), steps)
    }
  }
}
