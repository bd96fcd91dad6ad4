import { float32ToFloat16Bits, type QuantizedMatrix } from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import golden from '../fixtures/autoawq-layout.json' with { type: 'json' }
import llmAwq from '../fixtures/llm-awq-layout.json' with { type: 'json' }
import {
  type AutoAwqLayout,
  autoAwqProblem,
  autoAwqShapes,
  float16Products,
  packAutoAwq,
  unpackAutoAwq,
} from './autoawq-layout.ts'

type Case = (typeof golden.cases)[number]

/** As in tools/fixtures/formats/make_autoawq.py. */
const matrixOf = (
  { rows, columns, group }: Pick<Case, 'rows' | 'columns' | 'group'>,
  scaleOf = (row: number, g: number): number => (1 + ((row + 2 * g) % 7)) / 64,
): QuantizedMatrix => {
  const by = (width: number, value: (row: number, column: number) => number) =>
    Array.from({ length: rows * width }, (_, at) => value(Math.floor(at / width), at % width))
  const groups = columns / group
  return {
    bits: 4,
    groupSize: group,
    shape: [rows, columns],
    codes: Uint8Array.from(by(columns, (row, column) => (row * 37 + column * 11 + row * column) % 16)),
    zeroPoints: Uint8Array.from(by(groups, (row, g) => (row * 5 + g * 3) % 16)),
    scales: Uint16Array.from(by(groups, (row, g) => float32ToFloat16Bits(scaleOf(row, g)))),
  }
}

describe.each(golden.cases)('AutoAWQ $layout, $rows x $columns, groups of $group', (one) => {
  const layout = one.layout as AutoAwqLayout
  const matrix = matrixOf(one)

  test('is what AutoAWQ packs', () => {
    const packed = packAutoAwq(layout, matrix)
    const shapes = autoAwqShapes(layout, matrix)
    for (const name of ['qweight', 'qzeros', 'scales'] as const) {
      expect([...packed[name]]).toEqual(one[name].words)
      expect(shapes[name]).toEqual(one[name].shape)
    }
    expect(autoAwqProblem(layout, matrix)).toBeNull()
  })

  test('is unpacked to the same integers', () => {
    const fast = layout === 'gemv_fast'
    const words = (values: number[]) => (fast ? Uint16Array.from(values) : Uint32Array.from(values))
    const tensors = {
      qweight: words(one.qweight.words),
      qzeros: words(one.qzeros.words),
      scales: Uint16Array.from(one.scales.words),
    }
    expect(unpackAutoAwq(layout, tensors, matrix)).toEqual(matrix)
  })

  test('holds a symmetric matrix with the zero point 8', () => {
    const unpacked = unpackAutoAwq(layout, packAutoAwq(layout, { ...matrix, zeroPoints: null }), matrix)
    expect(unpacked.zeroPoints!.every((zero) => zero === 8)).toBe(true)
    expect(unpacked.codes).toEqual(matrix.codes)
  })
})

describe.each(llmAwq.cases)('llm-awq, $dtype, $rows x $columns, groups of $group', (one) => {
  // As in tools/fixtures/formats/make_llm_awq.py.
  const matrix = matrixOf(one, (row, g) => (129 + ((row * 3 + 2 * g) % 127)) / 2 ** 13)
  const qweight = Uint16Array.from(one.qweight.words)
  const bytes = (words: readonly number[]) => new Uint8Array(Uint16Array.from(words).buffer)

  test('is unpacked to what it packed', () => {
    const shapes = autoAwqShapes('gemv_fast', matrix)
    expect([shapes.qweight, shapes.scales, shapes.qzeros]).toEqual([
      one.qweight.shape,
      one.scales.shape,
      one.scaled_zeros.shape,
    ])
    const own = packAutoAwq('gemv_fast', matrix)
    expect([...own.qweight]).toEqual(one.qweight.words)
    const qzeros =
      one.dtype === 'float16'
        ? Uint16Array.from(one.scaled_zeros.words)
        : float16Products(bytes(one.scaled_zeros.words), bytes(one.scales.words), own.scales)
    expect(unpackAutoAwq('gemv_fast', { qweight, qzeros, scales: own.scales }, matrix)).toEqual(matrix)
  })

  test('with a zero point between two steps is refused', () => {
    if (one.dtype === 'float16') return
    const words = [...one.scaled_zeros.words]
    words[words.findIndex((word) => word & 0x7fff)]! ^= 0x20
    const own = packAutoAwq('gemv_fast', matrix)
    expect(() => float16Products(bytes(words), bytes(one.scales.words), own.scales)).toThrow(/no whole number of steps/)
  })
})

test('GEMV_FAST refuses zero points that are no steps of the scale', () => {
  const one = golden.cases.find(({ layout }) => layout === 'gemv_fast')!
  const matrix = matrixOf(one)
  const packed = packAutoAwq('gemv_fast', matrix)
  for (const wrong of [0.3, 100, Number.NaN, Number.POSITIVE_INFINITY]) {
    const qzeros = packed.qzeros.slice() as Uint16Array
    qzeros[1] = float32ToFloat16Bits(wrong)
    expect(() => unpackAutoAwq('gemv_fast', { ...packed, qzeros }, matrix)).toThrow(/no whole number of steps/)
  }
})

test.each<[AutoAwqLayout, number, number, number, RegExp]>([
  ['gemm', 12, 64, 32, /12 rows are no multiple of 8/],
  ['gemm', 16, 80, 32, /80 inputs are no multiple of the group size 32/],
  ['gemv', 16, 60, 60, /60 inputs are no multiple of 8/],
  ['gemv_fast', 16, 96, 32, /96 inputs are no multiple of 64/],
  ['gemv', 16, 64, 16, /no groups of 16/],
])('%s has no place for [%i, %i] in groups of %i', (layout, out, width, groupSize, message) => {
  expect(autoAwqProblem(layout, { groupSize, shape: [out, width] })).toMatch(message)
})
