import { float32ToFloat16Bits, type QuantizedMatrix, transposed } from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import golden from '../fixtures/gptq-layout.json' with { type: 'json' }
import { moveColumns, orderOfGroups } from '../packed/group-index.ts'
import { gptqShapes, groupsOfOrder, packGptq, unpackGptqCodes, unpackGptqZeros } from './gptq-layout.ts'

type Case = (typeof golden.cases)[number]

/** As in tools/fixtures/formats/make_gptq.py, columns in the order of their groups. */
const matrixOf = ({ bits, rows, columns, group, g_idx: groupOf }: Case): QuantizedMatrix => {
  const groups = Math.ceil(columns / group)
  const by = (width: number, value: (row: number, column: number) => number) =>
    Array.from({ length: rows * width }, (_, at) => value(Math.floor(at / width), at % width))
  const order = orderOfGroups(Int32Array.from(groupOf), group, 'g_idx')
  const codes = Uint8Array.from(by(columns, (row, column) => (row * 37 + column * 11 + row * column) % 2 ** bits))
  return {
    bits: bits as 4,
    groupSize: group,
    shape: [rows, columns],
    codes: order ? moveColumns(codes, columns, order) : codes,
    zeroPoints: Uint8Array.from(by(groups, (row, g) => (row * 5 + g * 3) % 2 ** bits)),
    scales: Uint16Array.from(by(groups, (row, g) => float32ToFloat16Bits((1 + ((row + 2 * g) % 7)) / 64))),
    ...(order ? { inputOrder: order } : {}),
  }
}

describe.each(golden.cases)('GPTQ, $bits bits, $rows x $columns, groups of $group, activation order $order', (one) => {
  const matrix = matrixOf(one)

  test('is what gptqmodel packs', () => {
    const { qweight, qzeros, scales } = packGptq(matrix, 2)
    expect([...qweight]).toEqual(one.qweight.words)
    expect([...qzeros]).toEqual(one.qzeros.words)
    expect([...scales]).toEqual(one.scales.words)
    expect([...groupsOfOrder(matrix.inputOrder, one.group, one.columns)]).toEqual(one.g_idx)
    const shapes = gptqShapes(matrix)
    for (const name of ['qweight', 'qzeros', 'scales'] as const) expect(shapes[name]).toEqual(one[name].shape)
    expect(matrix.inputOrder !== undefined).toBe(one.order)
  })

  test('is unpacked to the same integers, from both versions', () => {
    const codes = unpackGptqCodes(Uint32Array.from(one.qweight.words), matrix)
    expect(matrix.inputOrder ? moveColumns(codes, one.columns, matrix.inputOrder) : codes).toEqual(matrix.codes)
    expect(unpackGptqZeros(Uint32Array.from(one.qzeros.words), matrix, 2)).toEqual(matrix.zeroPoints)
    expect(unpackGptqZeros(Uint32Array.from(one.qzerosV1.words), matrix, 1)).toEqual(matrix.zeroPoints)
    const groups = one.scales.shape[0]!
    expect(transposed(Uint16Array.from(one.scales.words), groups, one.rows)).toEqual(matrix.scales)
  })

  test('in version 1 holds what has no zero point of 0, and refuses the others', () => {
    expect(() => packGptq(matrix, 1)).toThrow(/zero point of 0; use gptq-v2/)
    const zeroPoints = matrix.zeroPoints!.map((zero) => Math.max(1, zero))
    const { qzeros } = packGptq({ ...matrix, zeroPoints }, 1)
    expect(unpackGptqZeros(qzeros, matrix, 1)).toEqual(zeroPoints)
    const symmetric = packGptq({ ...matrix, zeroPoints: null }, 1)
    expect(unpackGptqZeros(symmetric.qzeros, matrix, 1).every((zero) => zero === 2 ** (one.bits - 1))).toBe(true)
  })
})

describe('the order of groups', () => {
  test('is none where columns are sorted', () => {
    expect(orderOfGroups(Int32Array.of(0, 0, 1, 1, 2), 2, 'g_idx')).toBeUndefined()
  })

  test.each([
    [[0, 0, 0, 1], /g_idx: group 0 has 3 inputs in place of 2/],
    [[0, 2, 0, 1], /g_idx: input 1 is of group 2, but there are 2/],
    [[-1, 0, 0, 1], /input 0 is of group -1/],
  ])('refuses %j', (groups, message) => {
    expect(() => orderOfGroups(Int32Array.from(groups), 2, 'g_idx')).toThrow(message)
  })
})
