import { AwqError } from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import { decodeImage } from './decode.ts'
import { goldens, imageFile } from './fixtures/goldens.ts'

interface Expected {
  readonly width: number
  readonly height: number
  readonly rgb: string
  readonly white?: string
}

const images = Object.entries(goldens<Record<string, Expected>>('images'))
const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'))

/** The largest difference of two arrays. */
const apart = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((most, value, index) => Math.max(most, Math.abs(value - b[index]!)), a.length === b.length ? 0 : 256)

/** Levels by which another decoder of a lossy format may differ. */
const tolerance = (name: string): number => (name.endsWith('.avif') ? 2 : 0)

describe('images of every mode are what transformers makes of them', () => {
  test.each(images)('%s', async (name, { width, height, rgb }) => {
    const image = await decodeImage(imageFile(name), { name })
    expect([image.width, image.height]).toEqual([width, height])
    expect(apart(image.data, bytes(rgb))).toBeLessThanOrEqual(tolerance(name))
  })

  const transparent = images.filter(([, { white }]) => white !== undefined)
  test.each(transparent)('%s over white, as it is stored', async (name, { white }) => {
    const image = await decodeImage(imageFile(name), { name, alpha: 'white', orientation: 'ignore' })
    expect(apart(image.data, bytes(white!))).toBeLessThanOrEqual(tolerance(name))
  })

  test('the goldens have images that are transparent', () => {
    expect(transparent.length).toBeGreaterThan(3)
  })
})

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error) => error,
  )
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

describe('what is no image is refused with a reason', () => {
  test.each([
    'rgb.png',
    'interlaced.png',
    'rgb.jpg',
    'progressive.jpg',
    'lossless.webp',
    'rgb.tif',
    'palette.gif',
    'rgb.avif',
  ])('%s cut short anywhere', async (name) => {
    const whole = imageFile(name)
    // The last bytes are the end of the container: Pillow does without those of PNG too.
    const lengths = [...Array(24).keys()].map((step) => Math.floor((step * (whole.length - 30)) / 23))
    for (const length of lengths) {
      const error = await failure(decodeImage(whole.subarray(0, length), { name }))
      expect(AwqError.is(error) && error.code, `${length} of ${whole.length} bytes: ${error}`).toBe('INVALID_FILE')
    }
  })

  test('a text with the name of an image', async () => {
    const error = await failure(decodeImage(text('Once upon a time there was'), { name: 'cat.png' }))
    expect(String(error)).toMatch(/cat\.png is not an image: it begins with the text "Once upon a time.*PNG, JPEG/)
  })

  test('nothing, and a drawing', async () => {
    expect(String(await failure(decodeImage(new Uint8Array(0))))).toMatch(/it is empty/)
    expect(String(await failure(decodeImage(text('<svg xmlns="http://www.w3.org/2000/svg"/>'))))).toMatch(
      /not an image/,
    )
  })

  test('more pixels than are allowed, before anything is decoded', async () => {
    const bomb = imageFile('rgb.png').slice()
    const view = new DataView(bomb.buffer)
    view.setUint32(16, 60_000)
    view.setUint32(20, 60_000)
    const error = await failure(decodeImage(bomb, { name: 'bomb.png' }))
    expect(AwqError.is(error) && error.code).toBe('UNSUPPORTED')
    expect(String(error)).toMatch(/bomb\.png.*60000 x 60000 pixels.*maxPixels/)
    expect(String(await failure(decodeImage(imageFile('rgb.jpg'), { maxPixels: 100 })))).toMatch(/33 x 17/)
  })

  test('a damaged checksum and damaged pixels', async () => {
    const broken = imageFile('rgb.png').slice()
    broken[17] = broken[17]! ^ 1
    expect(String(await failure(decodeImage(broken)))).toMatch(/checksum/)
  })

  test('an abort', async () => {
    const reason = new Error('enough')
    expect(await failure(decodeImage(imageFile('rgb.png'), { signal: AbortSignal.abort(reason) }))).toBe(reason)
  })
})
