import { AwqError } from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import { decodeImage } from './decode.ts'
import expected from './fixtures/images.json'

interface Expected {
  readonly width: number
  readonly height: number
  readonly rgb: string
}

const images = Object.entries(expected.goldens as Record<string, Expected>)
const bytesOf = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))

const fileOf = async (name: string): Promise<Uint8Array> => {
  const response = await fetch(new URL(`./fixtures/images/${name}`, import.meta.url))
  expect(response.ok).toBe(true)
  return new Uint8Array(await response.arrayBuffer())
}

/** The largest difference of two arrays. */
const apart = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((most, value, index) => Math.max(most, Math.abs(value - b[index]!)), a.length === b.length ? 0 : 256)

/** Levels by which this browser's decoders may differ from Pillow's. */
const tolerance = (name: string): number => {
  if (name.endsWith('.jpg')) return 2
  return name.endsWith('.avif') ? 2 : 0
}

describe('images are what transformers makes of them, in a browser too', () => {
  test.each(images.filter(([name]) => !name.endsWith('.tif')))('%s', async (name, { width, height, rgb }) => {
    const image = await decodeImage(await fileOf(name), { name })
    expect([image.width, image.height]).toEqual([width, height])
    expect(apart(image.data, bytesOf(rgb))).toBeLessThanOrEqual(tolerance(name))
  })

  test('a format that the browser lacks, and files that are cut short', async () => {
    for (const [name, share] of [
      ['rgb.tif', 1],
      ['rgb.jpg', 0.8],
      ['rgb.png', 0.8],
      ['lossless.webp', 0.8],
    ] as const) {
      const file = await fileOf(name)
      const error = await decodeImage(file.subarray(0, Math.floor(file.length * share)), { name }).catch(
        (reason) => reason,
      )
      expect(AwqError.is(error), `${name}: ${error}`).toBe(true)
      expect(String(error)).toContain(name)
    }
  })
})
