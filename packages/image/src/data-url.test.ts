import { expect, test } from 'vitest'
import { dataUrlBytes, isDataUrl } from './data-url.ts'

test('base64 is read, with line ends in it', () => {
  expect([...dataUrlBytes('data:image/png;base64,AQID\nBA==')]).toEqual([1, 2, 3, 4])
  expect([...dataUrlBytes('DATA:;base64,AQID')]).toEqual([1, 2, 3])
  expect(isDataUrl('data:image/png;base64,')).toBe(true)
  expect(isDataUrl('/tmp/data:x')).toBe(false)
})

test.each([
  ['data:image/png,AQID', /base64/],
  ['https://example.com/cat.png', /base64/],
  ['data:image/png;base64,%%%', /damaged/],
])('%s is refused', (url, message) => {
  expect(() => dataUrlBytes(url)).toThrowError(message)
})

test('more bytes than are allowed are refused before they are decoded', () => {
  expect(() => dataUrlBytes(`data:image/png;base64,${'A'.repeat(400)}`, { maxBytes: 100 })).toThrowError(
    /more than 100 bytes/,
  )
})
