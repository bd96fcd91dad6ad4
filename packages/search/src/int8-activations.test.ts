import { Graph, packMatMulNBits } from '@awq/onnx'
import { createEngine, type Engine, tensor } from '@awq/ort'
import { type QuantSpec, roundRtn } from '@awq/quantize'
import { dequantize, float16BitsToFloat32 } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { activations, weights } from './fixtures/data.ts'
import { activationBlock, emitRoundedActivations } from './int8-activations.ts'

let engine: Engine
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
})
afterAll(async () => {
  await engine.dispose()
})

const rows = 24
const specs = ([2, 3, 4, 8] as const).flatMap((bits) =>
  [16, 32, 64, 128, 256, -1].flatMap((groupSize) =>
    [true, false].map((symmetric): QuantSpec => ({ bits, groupSize, symmetric })),
  ),
)

/** x W^T in double precision. */
const product = (x: Float32Array, weight: Float32Array, width: number) =>
  Array.from({ length: (x.length / width) * rows }, (_, index) => {
    const [token, row] = [Math.floor(index / rows), index % rows]
    let sum = 0
    for (let column = 0; column < width; column++) sum += x[token * width + column]! * weight[row * width + column]!
    return sum
  })

/** Products of MatMulNBits at level 4, and the activations as the graph rounds them. */
const run = async (spec: QuantSpec, tokens: number, width: number, x: Float32Array) => {
  const matrix = roundRtn(weights(rows * width, width), [rows, width], spec)
  const { codes, scales, zeroPoints, blocks, blockSize, storedBits } = packMatMulNBits(matrix)
  const graph = new Graph('level-4')
  const input = graph.input('x', 'float32', [tokens, width])
  const zeros = zeroPoints && graph.constant('uint8', [rows, zeroPoints.length / rows], zeroPoints)
  const packed = graph.constant('uint8', [rows, blocks, (blockSize * storedBits) / 8], codes)
  const scale = graph.constant('float32', [rows, blocks], Float32Array.from(scales, float16BitsToFloat32))
  graph.output(
    'y',
    graph.add('MatMulNBits', [input, packed, scale, zeros, null, null], {
      K: width,
      N: rows,
      bits: storedBits,
      block_size: blockSize,
      accuracy_level: 4,
    }),
  )
  const block = activationBlock(spec, width)
  graph.output('rounded', block === null ? input : emitRoundedActivations(graph, input, width, block))
  const session = await engine.createSession(graph.toBytes())
  const { y, rounded } = await session.run({ x: tensor('float32', [tokens, width], x) })
  await session.dispose()
  return { y: y!.data as Float32Array, rounded: rounded!.data as Float32Array, weight: dequantize(matrix) }
}

const difference = (actual: ArrayLike<number>, expected: readonly number[]) => {
  const size = Math.max(...expected.map(Math.abs))
  return Math.max(...expected.map((value, index) => Math.abs(actual[index]! - value))) / size
}

describe('activations rounded as MatMulNBits rounds them at accuracy level 4', () => {
  it.each(specs)('$bits bits, group $groupSize, symmetric $symmetric', async (spec) => {
    for (const [tokens, width] of [
      [1, 512],
      [17, 600],
      [3, 40],
    ] as const) {
      const x = activations(tokens, width, 7)
      const { y, rounded, weight } = await run(spec, tokens, width, x)
      expect(difference(y, product(rounded, weight, width))).toBeLessThan(1e-5)
      // Without the rounding they would not agree: the test sees it.
      if (activationBlock(spec, width) !== null) expect(difference(y, product(x, weight, width))).toBeGreaterThan(1e-4)
    }
  })

  it('keeps zeros, a constant and a lone outlier', async () => {
    const spec = { bits: 8, groupSize: 32, symmetric: true } as const
    const x = new Float32Array(3 * 64).fill(0.7, 64, 128)
    x[130] = -1000
    const { y, rounded, weight } = await run(spec, 3, 64, x)
    expect(difference(y, product(rounded, weight, 64))).toBeLessThan(1e-5)
    rounded.forEach((value, index) => {
      expect(Math.abs(value - x[index]!)).toBeLessThan(1e-4)
    })
    expect(rounded.every(Number.isFinite)).toBe(true)
  })

  it('knows how long the blocks are', () => {
    const block = (bits: 2 | 3 | 4 | 8, groupSize: number, width: number) =>
      activationBlock({ bits, groupSize, symmetric: false }, width)
    expect([block(8, 32, 576), block(3, 64, 576), block(4, -1, 576), block(4, -1, 64)]).toEqual([32, 64, 256, 64])
    expect([block(2, 16, 576), block(2, 256, 576), block(2, -1, 576), block(2, 32, 576)]).toEqual([
      null,
      null,
      null,
      32,
    ])
  })
})
