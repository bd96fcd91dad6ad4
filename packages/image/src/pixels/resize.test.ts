import { expect, test } from 'vitest'
import { goldens, pattern, sha256 } from '../fixtures/goldens.ts'
import type { Resampling } from './filters.ts'
import { resize } from './resize.ts'

interface Row {
  readonly from: [number, number]
  readonly to: [number, number]
  readonly resampling: Resampling
  readonly pil: string
  readonly torchvision?: string
}

const rows = goldens<Row[]>('resized')

test.each(rows)('$resampling from $from to $to is bit by bit that of Pillow, and of torchvision', (row) => {
  const image = pattern(...row.from)
  const done = resize(image, ...row.to, row.resampling, 'pil')
  expect([done.width, done.height]).toEqual(row.to)
  expect(sha256(done.data)).toBe(row.pil)
  if (row.torchvision)
    expect(sha256(resize(image, ...row.to, row.resampling, 'torchvision').data)).toBe(row.torchvision)
})

test('the goldens cover both libraries', () => {
  expect(rows.filter((row) => row.torchvision !== undefined).length).toBeGreaterThan(20)
  expect(rows.some((row) => row.torchvision !== undefined && row.torchvision !== row.pil)).toBe(true)
})

test('a size that would fill the memory is refused before it is made', () => {
  const line = { width: 2 ** 20, height: 1, data: new Uint8Array(3 * 2 ** 20) }
  expect(() => resize(line, 2 ** 28, 224, 'bicubic', 'torchvision')).toThrowError(/crop it/)
  const column = { width: 1, height: 2 ** 20, data: new Uint8Array(3 * 2 ** 20) }
  expect(() => resize(column, 224, 224, 'bicubic', 'torchvision')).toThrowError(/crop it/)
})
