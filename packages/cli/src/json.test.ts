import { expect, it } from 'vitest'
import { toJsonLine } from './json.ts'

it('never turns a number into null', () => {
  expect(
    toJsonLine({ a: Number.NaN, b: [1, Number.POSITIVE_INFINITY], c: Float32Array.of(1.5, Number.NEGATIVE_INFINITY) }),
  ).toBe('{"a":"NaN","b":[1,"Infinity"],"c":[1.5,"-Infinity"]}')
})
it('writes bigints, maps and typed arrays, and leaves undefined out', () => {
  expect(toJsonLine({ a: 5n, b: 2n ** 60n, c: new Map([['k', 1]]), d: Int32Array.of(1, 2), e: undefined })).toBe(
    '{"a":5,"b":"1152921504606846976","c":{"k":1},"d":[1,2]}',
  )
})
it('is one line', () => {
  expect(toJsonLine({ text: 'a\nb\r\u2028' })).not.toMatch(/[\r\n]/)
})
