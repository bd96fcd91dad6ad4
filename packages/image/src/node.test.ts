import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { readImage } from './node.ts'

const path = (name: string): string => fileURLToPath(new URL(`./fixtures/images/${name}`, import.meta.url))

test('a file is read and turned upright', async () => {
  const { width, height } = await readImage(path('orientation-6.jpg'))
  expect([width, height]).toEqual([16, 24])
})

test('files that are not there, are folders or too large', async () => {
  await expect(readImage(path('none.png'))).rejects.toThrowError(/there is no image .*none\.png/)
  await expect(readImage(path(''))).rejects.toThrowError(/is not a file/)
  await expect(readImage(path('rgb.jpg'), { maxBytes: 100 })).rejects.toThrowError(/more than the 100/)
})
