import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { packColumns, packedWords, packingOf, packRows, unpackColumns, unpackRows } from './layout.ts'

interface Case {
  readonly bits: number
  readonly rows: number
  readonly columns: number
  readonly along: readonly number[]
  readonly down: readonly number[]
  readonly whole: readonly number[]
}

const path = fileURLToPath(new URL('../fixtures/compressed-tensors/packing.json', import.meta.url))
const { cases } = JSON.parse(readFileSync(path, 'utf8')) as { cases: Case[] }

/** The codes that tools/fixtures/formats/make_compressed_tensors.py packed. */
const codesOf = ({ bits, rows, columns }: Case): Uint8Array =>
  Uint8Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns]
    return (row * 37 + column * 11 + row * column) % 2 ** bits
  })

describe.each(cases)('$bits bits, [$rows, $columns]', (given) => {
  const { bits, rows, columns } = given
  const codes = codesOf(given)
  test('along the rows', () => {
    expect(Array.from(packRows(codes, rows, columns, bits))).toEqual(given.along)
    expect(unpackRows(Uint32Array.from(given.along), rows, columns, bits, 'dense')).toEqual(codes)
  })
  test('down the columns', () => {
    expect(Array.from(packColumns(codes, rows, columns, bits))).toEqual(given.down)
    expect(unpackColumns(Uint32Array.from(given.down), rows, columns, bits, 'dense')).toEqual(codes)
  })
  test('in whole words, as before 0.14', () => {
    expect(given.whole.length).toBe(rows * packedWords(columns, bits, 'whole'))
    expect(unpackRows(Uint32Array.from(given.whole), rows, columns, bits, 'whole')).toEqual(codes)
  })
})

test('the packing follows from the number of words', () => {
  expect(packingOf(128, 4, 16)).toBe('dense')
  expect(packingOf(128, 3, 12)).toBe('dense')
  expect(packingOf(128, 3, 13)).toBe('whole')
  expect(packingOf(128, 3, 14)).toBeNull()
})
