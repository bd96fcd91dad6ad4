import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { takeDenseColumns, withDenseColumns } from './dense-columns.ts'
import { float16BitsToFloat32, float32ToFloat16Bits } from './minifloat.ts'
import { checkQuantizedMatrix, dequantize, groupCount, type QuantizedMatrix } from './quantized-matrix.ts'

const half = (values: number[]) => Uint16Array.from(values, float32ToFloat16Bits)

/** Any matrix, and some of its columns. */
const cases = fc
  .record({
    bits: fc.constantFrom(2, 3, 4, 8) as fc.Arbitrary<QuantizedMatrix['bits']>,
    out: fc.integer({ min: 1, max: 4 }),
    width: fc.integer({ min: 1, max: 9 }),
    groupSize: fc.integer({ min: 1, max: 9 }),
    symmetric: fc.boolean(),
  })
  .chain(({ bits, out, width, groupSize, symmetric }) => {
    const groups = out * groupCount({ shape: [out, width], groupSize })
    const codes = (length: number) =>
      fc.array(fc.nat(2 ** bits - 1), { minLength: length, maxLength: length }).map((list) => Uint8Array.from(list))
    return fc.record({
      matrix: fc
        .tuple(codes(out * width), codes(groups), fc.array(fc.float(), { minLength: groups, maxLength: groups }))
        .map(
          ([values, zeros, scales]): QuantizedMatrix => ({
            bits,
            groupSize,
            shape: [out, width],
            codes: values,
            scales: half(scales.map((scale) => (Math.abs(scale) < 1e4 ? scale : 1))),
            zeroPoints: symmetric ? null : zeros,
          }),
        ),
      weight: fc
        .array(fc.integer({ min: -1000, max: 1000 }), { minLength: out * width, maxLength: out * width })
        .map((list) => Float32Array.from(list, (value) => value / 37)),
      indices: fc
        .uniqueArray(fc.nat(width - 1), { minLength: 1 })
        .map((list) => Int32Array.from(list).sort((a, b) => a - b)),
    })
  })

test('a matrix with dense columns has float16 weights there and is as before elsewhere', () => {
  fc.assert(
    fc.property(cases, ({ matrix, weight, indices }) => {
      const { shape } = matrix
      const mixed = withDenseColumns(matrix, takeDenseColumns(weight, shape, indices))
      checkQuantizedMatrix(mixed)
      const before = dequantize(matrix)
      const after = dequantize(mixed)
      const coded = dequantize({ ...mixed, denseColumns: undefined })
      for (let at = 0; at < after.length; at++) {
        const dense = indices.includes(at % shape[1])
        expect(after[at]).toBe(dense ? float16BitsToFloat32(float32ToFloat16Bits(weight[at]!)) : before[at])
        if (dense) expect(Math.abs(coded[at]!)).toBe(0)
      }
    }),
  )
})

const shape = [2, 3] as const
const matrix: QuantizedMatrix = {
  bits: 4,
  groupSize: 3,
  shape,
  codes: Uint8Array.of(1, 7, 3, 4, 9, 6),
  scales: half([1, 2]),
  zeroPoints: Uint8Array.of(7, 9),
}
const columns = { indices: Int32Array.of(1), values: half([0.5, -2]) }

describe('checkQuantizedMatrix', () => {
  test.each([
    ['no columns', { indices: new Int32Array(0), values: new Uint16Array(0) }, /without a column/],
    ['a negative column', { ...columns, indices: Int32Array.of(-1) }, /dense column -1 is outside the 3 columns/],
    ['a column beyond the last', { ...columns, indices: Int32Array.of(3) }, /dense column 3 is outside/],
    [
      'a column twice',
      { indices: Int32Array.of(1, 1), values: half([1, 1, 1, 1]) },
      /column 1 follows 1: they must as/,
    ],
    ['columns that fall', { indices: Int32Array.of(1, 0), values: half([1, 1, 1, 1]) }, /column 0 follows 1/],
    ['too few values', { ...columns, values: half([1]) }, /2 dense values expected, 1 given/],
    [
      'a value that is not finite',
      { ...columns, values: half([1, Number.NaN]) },
      /dense value at index 1 is not finite/,
    ],
    ['codes in a dense column', { ...columns, indices: Int32Array.of(2) }, /row 0 has a code other than .* column 2/],
  ])('refuses %s', (_, denseColumns, message) => {
    expect(() => checkQuantizedMatrix({ ...matrix, denseColumns }, 'q_proj')).toThrow(message)
  })

  test('accepts columns whose codes are the zero points', () => {
    expect(() => checkQuantizedMatrix({ ...matrix, denseColumns: columns })).not.toThrow()
  })
})

describe('takeDenseColumns', () => {
  test('refuses weights that float16 does not hold, and columns that are not there', () => {
    const weight = Float32Array.of(1, 70000, 3, 4, 5, 6)
    expect(() => takeDenseColumns(weight, shape, Int32Array.of(1), 'k_proj')).toThrow(
      /k_proj: the weight at row 0, column 1 is 70000, which does not fit float16/,
    )
    expect(() => takeDenseColumns(weight, shape, Int32Array.of(3))).toThrow(/outside the 3 columns/)
    expect(() => takeDenseColumns(weight.subarray(1), shape, Int32Array.of(0))).toThrow(/has 5 weights/)
  })
})
