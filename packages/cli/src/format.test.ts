import { describe, expect, it } from 'vitest'
import { formatBytes, formatCount, formatSeconds, significant } from './format.ts'
import { formatTable } from './table.ts'

describe('formats', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [999_600, '1.00 MB'],
    [268_953_600, '269 MB'],
    [1_073_741_824, '1.07 GB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })
  it.each([
    [0, '0.00 s'],
    [0.996, '1.0 s'],
    [9.94, '9.9 s'],
    [9.96, '10 s'],
    [59.6, '1m 00s'],
    [200, '3m 20s'],
    [7500, '2h 05m'],
    [Number.POSITIVE_INFINITY, '?'],
  ])('%d seconds are %s', (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text)
  })
  it.each([
    [30.987, 4, '30.99'],
    [0.12149, 3, '0.121'],
    [9.9996, 4, '10.00'],
    [350034.1, 4, '350034'],
    [0.0000012, 3, '1.20e-6'],
    [-0.5, 2, '-0.50'],
    [0, 3, '0.00'],
    [Number.NaN, 3, 'NaN'],
  ])('%d to %d digits is %s', (value, digits, text) => {
    expect(significant(value, digits)).toBe(text)
  })
  it('groups digits', () => {
    expect(formatCount(134515008)).toBe('134 515 008')
  })
  it('aligns columns without blanks at line ends', () => {
    const lines = formatTable(
      [{ title: 'name' }, { title: 'n', align: 'right' }, { title: 'x' }],
      [
        ['a', '100', ''],
        ['longer', '2', 'y'],
      ],
    )
    expect(lines).toEqual(['name      n  x', 'a       100', 'longer    2  y'])
  })
})
