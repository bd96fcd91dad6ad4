import { Graph } from '@awq/onnx'
import { type Tensor, tensor } from '../src/index.ts'

export interface MatMulNBitsShape {
  readonly rows: number
  /** K, a multiple of the block size. */
  readonly width: number
  /** N */
  readonly columns: number
  readonly bits: 4 | 8
  readonly blockSize: number
  readonly asymmetric: boolean
}

/** Whole numbers below 2^31 from a fixed seed (a linear congruential generator). */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48271) % 2147483647
    return state
  }
}

/**
 * A graph `y = x W^T` with W in com.microsoft::MatMulNBits, random codes, and the product by plain arithmetic in
 * double precision. Packed here by hand, low bits first, so that it tests the operator and not our packer.
 */
export function matMulNBitsCase(shape: MatMulNBitsShape): { graph: Uint8Array; x: Tensor; expected: Tensor } {
  const { rows, width, columns, bits, blockSize, asymmetric } = shape
  const next = numbers(7)
  const blocks = width / blockSize
  const levels = 2 ** bits
  const perByte = 8 / bits
  const codes = Uint8Array.from({ length: columns * width }, () => next() % levels)
  const scales = Float32Array.from({ length: columns * blocks }, () => (1 + (next() % 100)) / (100 * levels))
  const zeros = Uint8Array.from({ length: columns * blocks }, () => (asymmetric ? next() % levels : levels / 2))
  const x = Float32Array.from({ length: rows * width }, () => ((next() % 2001) - 1000) / 4000)

  const pack = (values: Uint8Array, perRow: number): Uint8Array => {
    const rowBytes = Math.ceil(perRow / perByte)
    const packed = new Uint8Array((values.length / perRow) * rowBytes)
    for (const [index, value] of values.entries()) {
      const column = index % perRow
      const byte = Math.floor(index / perRow) * rowBytes + Math.floor(column / perByte)
      packed[byte]! |= value << ((column % perByte) * bits)
    }
    return packed
  }

  const graph = new Graph('matmul')
  const packedZeros = pack(zeros, blocks)
  const inputs = [
    graph.input('x', 'float32', ['rows', width]),
    graph.constant('uint8', [columns, blocks, blockSize / perByte], pack(codes, width)),
    graph.constant('float32', [columns, blocks], scales),
    ...(asymmetric ? [graph.constant('uint8', [columns, packedZeros.length / columns], packedZeros)] : []),
  ]
  const attributes = { K: width, N: columns, bits, block_size: blockSize, accuracy_level: 1 }
  graph.output('y', graph.add('MatMulNBits', inputs, attributes))

  const expected = new Float32Array(rows * columns)
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      let sum = 0
      for (let k = 0; k < width; k += 1) {
        const group = column * blocks + Math.floor(k / blockSize)
        sum += x[row * width + k]! * (codes[column * width + k]! - zeros[group]!) * scales[group]!
      }
      expected[row * columns + column] = sum
    }
  }
  return {
    graph: graph.toBytes(),
    x: tensor('float32', [rows, width], x),
    expected: tensor('float32', [rows, columns], expected),
  }
}
