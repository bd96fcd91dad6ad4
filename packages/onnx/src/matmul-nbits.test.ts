import { dequantize, type QuantizedMatrix } from '@awq/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type MatrixForm, matrixForms, randomMatrix, randomSource } from './fixtures/matrices.ts'
import { float32, int64, refused, runGraph } from './fixtures/run.ts'
import { Graph } from './graph.ts'
import { type MatMulNBitsLayout, packMatMulNBits, unpackMatMulNBits } from './matmul-nbits.ts'
import { layoutOf } from './matmul-nbits-layout.ts'

const seeds = fc.integer()

describe('packMatMulNBits', () => {
  it('is undone by unpackMatMulNBits', () => {
    fc.assert(
      fc.property(matrixForms, seeds, (form, seed) => {
        const matrix = randomMatrix(form, seed)
        expect(unpackMatMulNBits(packMatMulNBits(matrix), form)).toEqual(matrix)
      }),
    )
  })

  it('has the shapes that layoutOf announces', () => {
    const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b)
    fc.assert(
      fc.property(matrixForms, seeds, (form, seed) => {
        const layout = packMatMulNBits(randomMatrix(form, seed))
        const { codesShape, scalesShape, zeroPointsShape } = layoutOf(form)
        expect(layout.codes.length).toBe(size(codesShape))
        expect(layout.scales.length).toBe(size(scalesShape))
        expect(layout.zeroPoints?.length).toBe(zeroPointsShape ? size(zeroPointsShape) : undefined)
      }),
    )
  })

  it('puts the first code into the lowest bits and pads with the zero point', () => {
    const form = { bits: 4, groupSize: 16, shape: [1, 19] } as const
    const codes = Uint8Array.from({ length: 19 }, (_, i) => i % 16)
    const scales = new Uint16Array([0x3c00, 0x4000])
    const layout = packMatMulNBits({ ...form, codes, scales, zeroPoints: new Uint8Array([3, 5]) })
    expect([...layout.codes.subarray(0, 8)]).toEqual([0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe])
    expect([...layout.codes.subarray(8)]).toEqual([0x10, 0x52, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55])
    expect([...layout.zeroPoints!]).toEqual([0x53])
    const pairs = packMatMulNBits({
      bits: 2,
      groupSize: 16,
      shape: [1, 5],
      codes: new Uint8Array([0, 1, 2, 3, 1]),
      scales: scales.subarray(1),
      zeroPoints: null,
    })
    expect([...pairs.codes]).toEqual([0b11100100, 0b10101001, 0b10101010, 0b10101010])
  })

  it('stores 3 bits in 4, with the symmetric zero moved from 4 to 8', () => {
    const matrix: QuantizedMatrix = {
      bits: 3,
      groupSize: 16,
      shape: [1, 4],
      codes: new Uint8Array([0, 4, 7, 1]),
      scales: new Uint16Array([0x3c00]),
      zeroPoints: null,
    }
    expect([...packMatMulNBits(matrix).codes.subarray(0, 3)]).toEqual([0x84, 0x5b, 0x88])
    const asymmetric = packMatMulNBits({ ...matrix, zeroPoints: new Uint8Array([2]) })
    expect([...asymmetric.codes.subarray(0, 3)]).toEqual([0x40, 0x17, 0x22])
  })

  it('repeats scale and zero point of a whole-row group over blocks of 256', () => {
    const matrix = randomMatrix({ bits: 4, groupSize: 600, shape: [2, 600], symmetric: false }, 1)
    const layout = packMatMulNBits(matrix)
    expect([layout.blockSize, layout.blocks]).toEqual([256, 3])
    const [a, b] = matrix.scales
    expect([...layout.scales]).toEqual([a, a, a, b, b, b])
    const [y, z] = matrix.zeroPoints!
    expect([...layout.zeroPoints!]).toEqual([y! * 17, y!, z! * 17, z!])
  })

  it.each<[string, Partial<QuantizedMatrix>]>([
    ['a code too large', { codes: new Uint8Array(64).fill(16) }],
    ['a zero point too large', { zeroPoints: new Uint8Array(4).fill(16) }],
    ['too few codes', { codes: new Uint8Array(63) }],
    ['too many scales', { scales: new Uint16Array(5) }],
    ['too few zero points', { zeroPoints: new Uint8Array(3) }],
    ['a group no kernel has', { groupSize: 24 }],
    ['bits no kernel has', { bits: 5 as never }],
    ['an empty shape', { shape: [0, 32] }],
  ])('refuses %s', (_, change) => {
    const matrix = randomMatrix({ bits: 4, groupSize: 16, shape: [2, 32], symmetric: false }, 1)
    expect(refused(() => packMatMulNBits({ ...matrix, ...change })).code).toBe('INVALID_ARGUMENT')
  })
})

describe('unpackMatMulNBits', () => {
  const form: MatrixForm = { bits: 3, groupSize: 512, shape: [2, 512], symmetric: true }
  const layout = packMatMulNBits(randomMatrix(form, 1))
  it.each<[string, Partial<MatMulNBitsLayout>]>([
    ['3-bit codes outside their levels', { codes: layout.codes.map(() => 0x83) }],
    ['blocks of one group that differ', { scales: layout.scales.map((_, i) => i + 1) }],
    ['codes cut short', { codes: layout.codes.subarray(1) }],
    ['another block size', { blockSize: 128, blocks: 4 }],
  ])('refuses %s', (_, change) => {
    expect(refused(() => unpackMatMulNBits({ ...layout, ...change }, form)).code).toBe('INVALID_ARGUMENT')
  })
})

/** The operands of the packed matrix as constants: codes, float32 scales, packed zero points. */
function operands(graph: Graph, layout: MatMulNBitsLayout, codesShape: readonly number[], out: number) {
  const { scales, zeroPoints, blocks } = layout
  return {
    codes: graph.constant('uint8', codesShape, layout.codes),
    scales: graph.add('Cast', [graph.constant('float16', [out, blocks], scales)], { to: 'float32' }),
    zeros: zeroPoints && graph.constant('uint8', [out, zeroPoints.length / out], zeroPoints),
  }
}

const widths = [32, 40, 172, 513]
const forms: MatrixForm[] = ([2, 3, 4, 8] as const).flatMap((bits) =>
  widths.flatMap((width) =>
    [16, 32, 128, width].flatMap((groupSize) =>
      [true, false].map((symmetric) => ({ bits, groupSize, shape: [7, width] as const, symmetric })),
    ),
  ),
)
const title = ({ bits, groupSize, shape, symmetric }: MatrixForm) =>
  `${bits} bits, group ${groupSize}, [${shape.join(', ')}], ${symmetric ? 'symmetric' : 'asymmetric'}`

/** What x of [rows, width] times the transposed matrix is, in float64. */
function product(x: Float32Array, matrix: QuantizedMatrix): number[] {
  const [out, width] = matrix.shape
  const weights = dequantize(matrix)
  return Array.from({ length: (x.length / width) * out }, (_, at) => {
    const [row, column] = [Math.floor(at / out), at % out]
    let sum = 0
    for (let i = 0; i < width; i++) sum += x[row * width + i]! * weights[column * width + i]!
    return sum
  })
}

describe('ONNX Runtime reads the layout', () => {
  it.each(forms.map((form) => [title(form), form] as const))('MatMulNBits: %s', async (_, form) => {
    const matrix = randomMatrix(form, 5)
    const [out, width] = matrix.shape
    const layout = packMatMulNBits(matrix)
    const graph = new Graph('linear')
    const x = graph.input('x', 'float32', ['rows', width])
    const { codes, scales, zeros } = operands(graph, layout, layoutOf(form).codesShape, out)
    const attributes = {
      K: width,
      N: out,
      bits: layout.storedBits,
      block_size: layout.blockSize,
      accuracy_level: 0,
    }
    graph.output('y', graph.add('MatMulNBits', [x, codes, scales, zeros], attributes))
    const random = randomSource(9)
    const data = Float32Array.from({ length: 3 * width }, () => random() * 2 - 1)
    const { y } = await runGraph(graph, { x: float32(data, [3, width]) })
    const expected = product(data, matrix)
    expect(y!.dims).toEqual([3, out])
    const largest = Math.max(...expected.map(Math.abs))
    for (const [i, value] of expected.entries()) expect(Math.abs(y!.data[i]! - value)).toBeLessThan(1e-5 * largest)
  })

  it.each(forms.map((form) => [title(form), form] as const))('GatherBlockQuantized: %s', async (_, form) => {
    const matrix = randomMatrix(form, 6)
    const [out, width] = matrix.shape
    const layout = packMatMulNBits(matrix)
    const { storedBits: bits, blockSize, blocks } = layout
    const graph = new Graph('table')
    const ids = graph.input('ids', 'int64', ['tokens'])
    const { codes, scales, zeros } = operands(graph, layout, [out, (blocks * blockSize * bits) / 8], out)
    const rows = graph.add('GatherBlockQuantized', [codes, ids, scales, zeros], {
      bits,
      block_size: blockSize,
      gather_axis: 0,
      quantize_axis: 1,
    })
    expect(rows.shape).toEqual(['tokens', blocks * blockSize])
    const [start, end, axis] = [0, width, 1].map((bound) => graph.constant('int64', [1], [bound]))
    const cut = graph.add('Slice', [rows, start!, end!, axis!])
    expect(cut.shape).toEqual(['tokens', width])
    graph.output('y', cut)
    const { y } = await runGraph(graph, { ids: int64([out - 1, 0, 2], [3]) })
    const weights = dequantize(matrix)
    const expected = [out - 1, 0, 2].flatMap((row) => [...weights.subarray(row * width, (row + 1) * width)])
    expect([...y!.data]).toEqual(expected)
  })
})
