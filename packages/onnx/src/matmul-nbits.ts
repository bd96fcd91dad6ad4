import { AwqError, groupCount, type QuantizedMatrix } from '@awq/tensor'
import { packCodes, unpackCodes } from './bit-packing.ts'
import {
  codeShift,
  groupsOfBlocks,
  type LayoutDimensions,
  type LayoutRequest,
  layoutOf,
} from './matmul-nbits-layout.ts'

/** A quantized matrix as MatMulNBits and GatherBlockQuantized read it; shapes as in `LayoutDimensions`. */
export interface MatMulNBitsLayout {
  readonly storedBits: LayoutDimensions['storedBits']
  readonly blockSize: LayoutDimensions['blockSize']
  readonly blocks: number
  /** `[out, blocks, blockSize * storedBits / 8]`: codes along the row, the first in the lowest bits. */
  readonly codes: Uint8Array
  /** [out, blocks], float16 bits. */
  readonly scales: Uint16Array
  /** [out, ceil(blocks * storedBits / 8)], packed like the codes; null when symmetric. */
  readonly zeroPoints: Uint8Array | null
}

/**
 * The bytes of a matrix in MatMulNBits' layout, columns as they are (an `inputOrder` and dense columns are the caller's). Padding after the last input of a row holds the block's zero point, so
 * that it dequantizes to 0. Throws INVALID_ARGUMENT when lengths, codes or zero points do not fit the matrix's bits.
 */
export function packMatMulNBits(matrix: QuantizedMatrix): MatMulNBitsLayout {
  const { bits, groupSize, shape, codes, scales, zeroPoints } = matrix
  const symmetric = zeroPoints === null
  const layout = layoutOf({ bits, groupSize, shape, symmetric })
  const { storedBits, blockSize, blocks } = layout
  const [out, width] = shape
  const groups = groupCount(matrix)
  needLength(matrix, 'codes', codes.length, out * width)
  needLength(matrix, 'scales', scales.length, out * groups)
  if (zeroPoints) needLength(matrix, 'zero points', zeroPoints.length, out * groups)
  const add = codeShift(bits, symmetric)
  const groupOf = groupsOfBlocks(layout, groupSize, width)

  const rowBytes = (blocks * blockSize * storedBits) / 8
  const packed = new Uint8Array(out * rowBytes)
  const blockScales = new Uint16Array(out * blocks)
  const zeroBytes = layout.zeroPointsShape?.[1] ?? 0
  const packedZeros = zeroPoints && new Uint8Array(out * zeroBytes)
  const rowZeros = new Uint8Array(blocks)
  const padding = new Uint8Array(blocks * blockSize - width)
  let seen = 0
  for (let row = 0; row < out; row++) {
    for (let block = 0; block < blocks; block++) {
      const group = row * groups + groupOf[block]!
      blockScales[row * blocks + block] = scales[group]!
      if (zeroPoints) rowZeros[block] = zeroPoints[group]!
    }
    if (packedZeros) seen |= packCodes(rowZeros, 0, blocks, packedZeros, row * zeroBytes, storedBits, 0)
    seen |= packCodes(codes, row * width, width, packed, row * rowBytes, storedBits, add)
    if (padding.length > 0) {
      padding.fill(zeroPoints ? rowZeros[blocks - 1]! : 2 ** (storedBits - 1))
      pad(packed, row * rowBytes, width, padding, storedBits)
    }
  }
  if (seen >= 2 ** bits) refuse(matrix, `a code or zero point is above ${2 ** bits - 1}`)
  return { storedBits, blockSize, blocks, codes: packed, scales: blockScales, zeroPoints: packedZeros }
}

/**
 * The matrix that `packMatMulNBits` packed. Throws INVALID_ARGUMENT when the lengths do not fit, a 3-bit code lies
 * outside its 8 levels, or blocks of one group differ in scale or zero point: then the bytes are of another matrix.
 */
export function unpackMatMulNBits(
  layout: MatMulNBitsLayout,
  { bits, groupSize: given, shape }: Omit<LayoutRequest, 'symmetric'>,
): QuantizedMatrix {
  const symmetric = layout.zeroPoints === null
  const [out, width] = shape
  const groupSize = given === -1 ? width : given
  const expected = layoutOf({ bits, groupSize, shape, symmetric })
  const { storedBits, blockSize, blocks } = expected
  const what = { bits, groupSize, shape }
  if (layout.storedBits !== storedBits || layout.blockSize !== blockSize || layout.blocks !== blocks) {
    refuse(what, `the layout has ${layout.storedBits} bits and ${layout.blocks} blocks of ${layout.blockSize}`)
  }
  const rowBytes = (blocks * blockSize * storedBits) / 8
  const zeroBytes = expected.zeroPointsShape?.[1] ?? 0
  needLength(what, 'packed codes', layout.codes.length, out * rowBytes)
  needLength(what, 'block scales', layout.scales.length, out * blocks)
  if (layout.zeroPoints) needLength(what, 'packed zero points', layout.zeroPoints.length, out * zeroBytes)

  const groups = groupCount(what)
  const groupOf = groupsOfBlocks(expected, groupSize, width)
  const add = codeShift(bits, symmetric)
  const codes = new Uint8Array(out * width)
  const scales = new Uint16Array(out * groups)
  const zeroPoints = layout.zeroPoints && new Uint8Array(out * groups)
  const rowZeros = new Uint8Array(blocks)
  for (let row = 0; row < out; row++) {
    unpackCodes(layout.codes, row * rowBytes, width, codes, row * width, storedBits, add)
    if (layout.zeroPoints) unpackCodes(layout.zeroPoints, row * zeroBytes, blocks, rowZeros, 0, storedBits, 0)
    for (let block = 0; block < blocks; block++) {
      const group = row * groups + groupOf[block]!
      const scale = layout.scales[row * blocks + block]!
      const zero = rowZeros[block]!
      if (block > 0 && groupOf[block] === groupOf[block - 1]) {
        const differs = scales[group] !== scale || (zeroPoints !== null && zeroPoints[group] !== zero)
        if (differs) refuse(what, `row ${row}, block ${block} differs from the other blocks of its group`)
      }
      scales[group] = scale
      if (zeroPoints) zeroPoints[group] = zero
    }
  }
  if (bits === 3) {
    if (highest(codes) > 7) refuse(what, 'a code is outside the 8 levels of 3 bits')
    if (zeroPoints && highest(zeroPoints) > 7) refuse(what, 'a zero point is outside the 8 levels of 3 bits')
  }
  return { bits, groupSize, shape, codes, scales, zeroPoints }
}

/** Packs the padding behind the `width` codes of the row at `at`. */
function pad(packed: Uint8Array, at: number, width: number, padding: Uint8Array, bits: 2 | 4 | 8): void {
  const perByte = 8 / bits
  const filled = width % perByte
  const byte = at + Math.floor(width / perByte)
  // The codes that share a byte with the row's last ones, then whole bytes.
  const shared = filled === 0 ? 0 : perByte - filled
  for (let i = 0; i < shared; i++) packed[byte] = packed[byte]! | (padding[i]! << ((filled + i) * bits))
  packCodes(padding, shared, padding.length - shared, packed, byte + (filled === 0 ? 0 : 1), bits, 0)
}

/** The OR of all codes, which has every bit that one of them has. */
function highest(codes: Uint8Array): number {
  let seen = 0
  for (let i = 0; i < codes.length; i++) seen |= codes[i]!
  return seen
}

type Described = Pick<QuantizedMatrix, 'bits' | 'groupSize' | 'shape'>

function needLength(matrix: Described, what: string, length: number, expected: number): void {
  if (length !== expected) refuse(matrix, `${expected} ${what} expected, ${length} given`)
}

function refuse({ bits, groupSize, shape }: Described, problem: string): never {
  throw new AwqError(
    'INVALID_ARGUMENT',
    `quantized matrix [${shape.join(', ')}], ${bits} bits, group ${groupSize}: ${problem}`,
  )
}
