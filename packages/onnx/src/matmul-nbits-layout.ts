import { AwqError, type QuantizedMatrix } from '@awq/tensor'

/** Block sizes ONNX Runtime has kernels for. */
const blockSizes: readonly number[] = [16, 32, 64, 128, 256]
/** The block that groups longer than any block (one per row, for instance) are cut into. */
const largestBlock = 256

/** What decides how a matrix lies in memory. */
export interface LayoutRequest {
  readonly bits: QuantizedMatrix['bits']
  /** 16, 32, 64, 128, 256, a multiple of 256, or the whole row (`in`, or -1). */
  readonly groupSize: number
  readonly shape: readonly [out: number, width: number]
  readonly symmetric: boolean
}

/**
 * How MatMulNBits and GatherBlockQuantized read a matrix. 3-bit codes are stored in 4 bits. A group longer than 256
 * covers several blocks of 256, which repeat its scale and zero point.
 */
export interface LayoutDimensions {
  readonly storedBits: 2 | 4 | 8
  readonly blockSize: 16 | 32 | 64 | 128 | 256
  /** Blocks per row: ceil(in / blockSize); the last one is padded. */
  readonly blocks: number
  /** uint8. */
  readonly codesShape: readonly [out: number, blocks: number, bytesPerBlock: number]
  /** float16. */
  readonly scalesShape: readonly [out: number, blocks: number]
  /** uint8; null when symmetric: the operators' default zero point, 2^(storedBits - 1), holds. */
  readonly zeroPointsShape: readonly [out: number, bytesPerRow: number] | null
}

/**
 * The dimensions of a matrix in MatMulNBits' layout (ContribOperators.md, com.microsoft.MatMulNBits). Throws
 * INVALID_ARGUMENT for bits, group sizes and shapes the layout does not have.
 */
export function layoutOf({ bits, groupSize, shape, symmetric }: LayoutRequest): LayoutDimensions {
  const [out, width] = shape
  const refuse = (problem: string): never => {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `MatMulNBits layout of [${shape.join(', ')}], ${bits} bits, group ${groupSize}: ${problem}`,
    )
  }
  if (![2, 3, 4, 8].includes(bits)) refuse('bits must be 2, 3, 4 or 8')
  if (shape.length !== 2 || !shape.every((size) => Number.isSafeInteger(size) && size > 0)) {
    refuse('the shape must be two positive integers')
  }
  if (!Number.isSafeInteger(out * width)) refuse('too many elements')
  const wholeRow = groupSize === -1 || groupSize === width
  if (!blockSizes.includes(groupSize) && !wholeRow && !(groupSize > 0 && groupSize % largestBlock === 0)) {
    refuse('the group must be 16, 32, 64, 128, 256, a multiple of 256, or the whole row')
  }
  const storedBits = bits === 3 ? 4 : bits
  // -1 and `in` mean the same and must give the same layout, also where a row is just as long as some block.
  const size = groupSize === -1 ? width : groupSize
  const blockSize = (blockSizes.includes(size) ? size : largestBlock) as LayoutDimensions['blockSize']
  const blocks = Math.ceil(width / blockSize)
  return {
    storedBits,
    blockSize,
    blocks,
    codesShape: [out, blocks, (blockSize * storedBits) / 8],
    scalesShape: [out, blocks],
    zeroPointsShape: symmetric ? null : [out, Math.ceil((blocks * storedBits) / 8)],
  }
}

/** For every block of a row, the group it belongs to. */
export function groupsOfBlocks(layout: LayoutDimensions, groupSize: number, width: number): Int32Array {
  const size = groupSize === -1 ? width : groupSize
  return Int32Array.from({ length: layout.blocks }, (_, block) => Math.floor((block * layout.blockSize) / size))
}

/** What is added to a code to store it: symmetric 3-bit codes move so that their zero, 4, becomes the default 8. */
export function codeShift(bits: QuantizedMatrix['bits'], symmetric: boolean): number {
  return bits === 3 && symmetric ? 4 : 0
}
