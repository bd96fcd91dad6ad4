import { describe, expect, it } from 'vitest'
import { groupSize, integer, listOf, number, oneOf, oneOfNumbers, sequenceOf, text } from './values.ts'

const refusals = (parse: (value: string) => unknown, values: readonly string[]) => {
  for (const value of values) expect(() => parse(value), JSON.stringify(value)).toThrow(/must be/)
}

describe('values', () => {
  it('integers are decimal digits within their range', () => {
    expect(integer(1)('128')).toBe(128)
    expect(integer(-1)('-1')).toBe(-1)
    refusals(integer(1), [
      '',
      '0',
      '-1',
      '4x',
      '0x10',
      '1e3',
      '4.0',
      ' 4',
      'NaN',
      'Infinity',
      '99999999999999999999',
      '٣',
    ])
    refusals(integer(1, 8), ['9'])
  })
  it('numbers are finite decimals within their range', () => {
    expect(number(0)('0')).toBe(0)
    expect(number(0)('.5')).toBe(0.5)
    expect(number(0)('1e-3')).toBe(0.001)
    refusals(number(0), ['', '-0.1', 'NaN', 'Infinity', '1e999', '0x1', '1,5', '1 ', '4x', '.'])
    refusals(number(0, 1), ['1.01'])
  })
  it('words and bits are one of the given', () => {
    expect(oneOf(['cpu', 'cuda'])('cuda')).toBe('cuda')
    expect(() => oneOf(['cpu', 'cuda'])('CPU')).toThrow('must be cpu or cuda, not "CPU"')
    expect(oneOfNumbers([2, 3, 4, 8])('3')).toBe(3)
    refusals(oneOfNumbers([2, 3, 4, 8]), ['5', '04', '4.0', '4x', ''])
  })
  it('group sizes are powers of two from 16 to 256, or -1', () => {
    expect(['16', '32', '64', '128', '256', '-1'].map(groupSize)).toEqual([16, 32, 64, 128, 256, -1])
    refusals(groupSize, ['8', '48', '512', '0', '-2', '128.0', '', '64x'])
  })
  it('lists drop repeated values, sequences keep them', () => {
    expect(listOf(oneOf(['rtn', 'awq']))('awq, rtn,awq')).toEqual(['awq', 'rtn'])
    expect(sequenceOf(integer(0))('5,5,1')).toEqual([5, 5, 1])
    refusals(sequenceOf(integer(0)), ['', ',', '1,', '1,,2', '1,-2', '1;2', '1 2'])
  })
  it('texts are not empty, and a long one is cut in the message', () => {
    refusals(text, ['', 'a\0b'])
    expect(() => integer(1)('x'.repeat(500))).toThrow(/^.{1,100}$/)
  })
})
