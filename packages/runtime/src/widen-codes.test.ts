import { Graph } from '@awq/onnx'
import { createEngine, type Engine, tensor } from '@awq/ort'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { widenCodes } from './widen-codes.ts'

let engine: Engine
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
})
afterAll(() => engine.dispose())

/** Bytes from a fixed seed. */
const bytes = (length: number, seed: number): Uint8Array => {
  let state = seed
  return Uint8Array.from({ length }, () => {
    state = (state * 48271) % 2147483647
    return state % 256
  })
}

test.each([
  { blocks: 4, asymmetric: true },
  { blocks: 3, asymmetric: true },
  { blocks: 5, asymmetric: false },
])('a matrix of 2 bits and the same of 4 give the same products: %o', async ({ blocks, asymmetric }) => {
  const blockSize = 32
  const [rows, columns, width] = [3, 6, blocks * blockSize]
  const graph = new Graph('widen')
  const x = graph.input('x', 'float32', [rows, width])
  const codes = graph.constant('uint8', [columns, blocks, blockSize / 4], bytes((columns * width) / 4, 5))
  const zeroBytes = Math.ceil(blocks / 4)
  const zeroPoints = asymmetric ? graph.constant('uint8', [columns, zeroBytes], bytes(columns * zeroBytes, 7)) : null
  const scales = graph.constant(
    'float32',
    [columns, blocks],
    Float32Array.from({ length: columns * blocks }, (_, index) => (1 + (index % 5)) / 8),
  )
  const attributes = { K: width, N: columns, block_size: blockSize, accuracy_level: 1 }
  const product = (bits: number, given: ReturnType<typeof widenCodes>) =>
    graph.add('MatMulNBits', [x, given.codes, scales, given.zeroPoints], { ...attributes, bits })
  graph.output('narrow', product(2, { codes, zeroPoints }))
  graph.output('wide', product(4, widenCodes(graph, { codes, zeroPoints }, blocks)))

  await using session = await engine.createSession(graph.toBytes())
  const data = Float32Array.from(bytes(rows * width, 9), (byte) => (byte - 128) / 64)
  const { narrow, wide } = await session.run({ x: tensor('float32', [rows, width], data) })
  expect(new Set(narrow!.data as Float32Array).size).toBeGreaterThan(10)
  // Whole multiples of 2^-9 that float32 holds: no rounding, so the sums' order does not show.
  expect(wide!.data).toEqual(narrow!.data)
})
