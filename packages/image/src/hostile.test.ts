import { AwqError, memoryFolder } from '@awq/tensor'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeImage } from './decode.ts'
import { goldens, imageFile, pattern } from './fixtures/goldens.ts'
import { loadImageProcessor } from './processors/processor.ts'

const names = Object.keys(goldens<Record<string, unknown>>('images'))

/** What came of a decoding: the size of an image, or an error of ours. */
async function outcome(bytes: Uint8Array): Promise<string> {
  try {
    const { width, height, data } = await decodeImage(bytes, { maxPixels: 100_000 })
    expect(data.length).toBe(width * height * 3)
    return 'decoded'
  } catch (error) {
    expect(AwqError.is(error), String(error)).toBe(true)
    return (error as AwqError).code
  }
}

describe('damaged files', () => {
  test('bytes that were changed give an image or an error of ours', async () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 })
    const results = new Set<string>()
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), damage, async (name, changes) => {
        const bytes = imageFile(name)
        for (const [place, value] of changes) bytes[place % Math.min(bytes.length, 400)] = value
        results.add(await outcome(bytes))
      }),
      { numRuns: 300 },
    )
    expect([...results].sort()).toEqual(expect.arrayContaining(['INVALID_FILE', 'decoded']))
  })

  test('headers and nothing behind them', async () => {
    const beginnings = [
      '\x89PNG\r\n\x1a\n',
      '\xff\xd8\xff',
      'RIFF\0\0\0\0WEBP',
      'GIF89a',
      'BM',
      'II*\0',
      'MM\0*',
      '\0\0\0\x18ftypavif',
    ]
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...beginnings), fc.uint8Array({ maxLength: 200 }), async (beginning, rest) => {
        const head = Uint8Array.from(beginning, (character) => character.charCodeAt(0))
        await outcome(new Uint8Array([...head, ...rest]))
      }),
      { numRuns: 500 },
    )
  })

  test('a PNG file without its end is whole, one without its last rows is not', async () => {
    const bytes = imageFile('rgb.png')
    expect(await outcome(bytes.subarray(0, bytes.length - 12))).toBe('decoded')
    expect(await outcome(bytes.subarray(0, bytes.length - 60))).toBe('INVALID_FILE')
  })

  test("the caller's bytes are left as they are", async () => {
    const bytes = Buffer.from(imageFile('orientation-6.jpg'))
    const before = bytes.toString('hex')
    await decodeImage(bytes)
    expect(bytes.toString('hex')).toBe(before)
  })
})

describe('damaged settings', () => {
  const load = (image: unknown, config: unknown = {}) =>
    loadImageProcessor(
      memoryFolder(
        { 'preprocessor_config.json': JSON.stringify(image), 'config.json': JSON.stringify(config) },
        'model',
      ),
    )

  test.each([
    [
      { image_processor_type: 'CLIPImageProcessor', image_mean: [0.5] },
      /image_mean is \[0.5\]; it must be three numbers/,
    ],
    [{ image_processor_type: 'CLIPImageProcessor', size: -1 }, /preprocessor_config\.json: size is/],
    [{ image_processor_type: 'CLIPImageProcessor', do_resize: 'yes' }, /do_resize.*true or false/],
    [{ image_processor_type: 'CLIPImageProcessor', resample: 9 }, /resample.*0 to 5/],
    [{ image_processor_type: 'BlipImageProcessor' }, /"BlipImageProcessor" is not one of CLIPImageProcessor/],
    [{ image_processor_type: 'toString' }, /"toString" is not one of/],
    [{}, /\(none named\)/],
    [[], /is not a JSON object/],
    [{ image_processor_type: 'LlavaNextImageProcessor', image_grid_pinpoints: [[1]] }, /list of \[height, width\]/],
    [{ image_processor_type: 'Idefics3ImageProcessor', max_image_size: { height: 3 } }, /longest_edge/],
  ])('%j', async (image, message) => {
    await expect(load(image)).rejects.toThrowError(message)
    await expect(load(image)).rejects.toSatisfy((error) => AwqError.is(error))
  })

  test('a folder without an image processor', async () => {
    await expect(loadImageProcessor(memoryFolder({}, 'model'))).rejects.toThrowError(
      /model has neither preprocessor_config\.json/,
    )
  })

  test('the model says which processor it is, where the file does not', async () => {
    expect((await load({ size: 28 }, { model_type: 'paligemma', text_config: { num_image_tokens: 4 } })).kind).toBe(
      'SiglipImageProcessor',
    )
  })

  test('sizes that make no sense are errors at the image', async () => {
    const kinds = [
      { image_processor_type: 'CLIPImageProcessor', size: { longest_edge: 5 } },
      { image_processor_type: 'CLIPImageProcessor', size: 2 ** 30 },
      {
        image_processor_type: 'Idefics3ImageProcessor',
        size: { longest_edge: 4096 },
        max_image_size: { longest_edge: 1 },
      },
      { image_processor_type: 'LlavaNextImageProcessor', size: { shortest_edge: 8 }, crop_size: 1 },
      { image_processor_type: 'Qwen2VLImageProcessor', do_resize: false },
    ]
    for (const kind of kinds) {
      const processor = await load(kind)
      expect(() => processor.process(pattern(53, 37)), JSON.stringify(kind)).toThrowError(AwqError)
    }
  })
})
