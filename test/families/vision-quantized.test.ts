/** Models that see, quantized with images in the calibration. */
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect, type ProgressEvent, quantize } from '@awq/core'
import { evaluatePrompts } from '@awq/evaluate'
import { readImage } from '@awq/image/node'
import { createEngine } from '@awq/ort'
import { createImageEncoder } from '@awq/runtime'
import { loadModel } from '@awq/runtime/node'
import { openFolder } from '@awq/tensor/node'
import { openText } from '@awq/text/node'
import { afterAll, describe, expect, test } from 'vitest'
import { distance } from './checkpoints.ts'
import { seeingCheckpoints, visionGolden } from './vision-golden.ts'
import { withProcessor } from './vision-processors.ts'

const engine = await createEngine({ threads: 1 })
const scratch = mkdtempSync(join(tmpdir(), 'awq-vision-quantized-'))
afterAll(async () => {
  await engine.dispose()
  rmSync(scratch, { recursive: true, force: true })
})

const pictures = fileURLToPath(new URL('../../packages/image/src/fixtures/images/', import.meta.url))
const names = ['rgb.png', 'rgb.jpg', 'grey.png']
for (const name of names) copyFileSync(join(pictures, name), join(scratch, name))

const part = (image: string) => ({ type: 'image', image })
const said = (text: string) => ({ type: 'text', text })
/** One way to write a record beside the other. */
const records = [
  { image: 'rgb.png', text: 'what is it' },
  { images: ['rgb.jpg', 'grey.png'], text: 'which one is larger' },
  { messages: [{ role: 'user', content: [part('grey.png'), said('say a word')] }] },
  {
    messages: [
      { role: 'user', content: [{ type: 'image_url', image_url: { url: 'rgb.png' } }, said('and now')] },
      { role: 'assistant', content: [said('a red cat')] },
    ],
  },
  { image: 'rgb.jpg', conversations: [{ from: 'human', value: '<image>\nwhy' }] },
]
const file = join(scratch, 'pairs.jsonl')
writeFileSync(file, records.map((record) => JSON.stringify(record)).join('\n'))

describe.each(seeingCheckpoints)('$name', (checkpoint) => {
  const folder = withProcessor(checkpoint, scratch)
  const make = async (output: string, options: object = {}) => {
    const events: ProgressEvent[] = []
    const onProgress = (event: ProgressEvent) => events.push(event)
    const grid = { bits: 4, groupSize: 16 } as const
    const path = join(scratch, `${checkpoint.name}-${output}`)
    const result = await quantize({
      ...{ model: folder, output: path, engine, ...grid, calibration: file, length: 48, onProgress },
      ...options,
    })
    return { path, events, result }
  }

  test.each(['awq', 'gptq', 'awq-gptq', 'rtn'])('%s with images, loaded again, writes', async (method) => {
    const { path, events } = await make(method, { method })
    expect(events.flatMap((event) => (event.type === 'warning' ? [event.message] : [])).join()).not.toMatch(/no images/)
    await using model = await loadModel(path, { engine })
    expect(model.sees).toBe(true)
    const messages = [{ role: 'user', content: [part(join(pictures, 'rgb.png')), said('what is it')] }]
    const written = await model.generate({ messages }, { maxNewTokens: 5, ignoreEos: true }).result
    expect(written.newTokens).toBe(5)
    if (method === 'rtn') return
    const { calibration } = JSON.parse(readFileSync(join(path, 'quantization.json'), 'utf8'))
    expect(calibration).toMatchObject({ source: 'pairs.jsonl', samples: 0, images: { samples: records.length } })
  })

  test('a tower of 8 bits is stored, counted, loaded, and near the float one', async () => {
    const [whole, half] = [
      await make('tower-16', { method: 'rtn', bits: 8 }),
      await make('tower-8', { method: 'rtn', bits: 8, visionBits: 8 }),
    ]
    const manifest = JSON.parse(readFileSync(join(half.path, 'quantization.json'), 'utf8'))
    await using float = await loadModel(folder, { engine })
    const { vision, parameter } = float.description
    expect(Object.keys(manifest.matrices)).toEqual(
      expect.arrayContaining(vision!.linears.map(({ name }) => `${name}.weight`)),
    )
    expect(Object.keys(manifest.matrices)).toContain(
      parameter(0, `${float.description.blocks[0]!.linears[0]!.name}.weight`),
    )
    const inspected = [await inspect(folder), await inspect(whole.path), await inspect(half.path)]
    expect(inspected[1]!.parameters).toBe(inspected[0]!.parameters)
    expect(inspected[2]!.parameters).toBe(inspected[0]!.parameters)
    await using model = await loadModel(half.path, { engine, accuracy: 'exact' })
    const own = createImageEncoder(model.opened)
    const reference = createImageEncoder(float.opened)
    for (const { image } of visionGolden(checkpoint).images) {
      const [made, wanted] = [await own.encode(image), await reference.encode(image)]
      const off = distance([made.features], [wanted.features])
      expect(off).toBeGreaterThan(0)
      expect(off).toBeLessThan(0.03)
    }
    await own.dispose()
    await reference.dispose()
    const prompts = {
      documents: await openText(file),
      readImage: (name: string, at?: string) => readImage(join(at ?? '', name)),
    }
    const measured = await evaluatePrompts({
      ...prompts,
      model: await openFolder(half.path),
      against: await openFolder(folder),
      engine,
    })
    expect(measured.kl).toBeGreaterThan(0)
    expect(measured.kl).toBeLessThan(0.02)
    const same = await evaluatePrompts({
      ...prompts,
      documents: await openText(file),
      model: float.opened,
      against: float.opened,
      engine,
    })
    expect(same).toMatchObject({ kl: 0, top1: 1, firstTop1: 1, prompts: records.length })
  })

  test('a target size counts the tower, and is planned on images', async () => {
    const { result } = await make('planned', {
      method: 'awq',
      bits: undefined,
      groupSize: 16,
      targetBpw: 24,
      visionBits: 8,
    })
    const inspected = await inspect(result.output)
    expect(inspected.bytes).toBe(result.planned!.bytes)
    expect((inspected.bytes * 8) / inspected.parameters).toBeLessThanOrEqual(24)
    expect(result.planned!.bitsPerWeight).toBeCloseTo((inspected.bytes * 8) / inspected.parameters, 6)
  })

  test('the same seed gives the same bytes; images decide them', async () => {
    const weights = (path: string) =>
      readdirSync(path)
        .filter((name) => name.endsWith('.safetensors'))
        .map((name) => readFileSync(join(path, name)))
    const [one, other] = [await make('seed-1', { seed: 7, samples: 3 }), await make('seed-2', { seed: 7, samples: 3 })]
    expect(weights(other.path)).toEqual(weights(one.path))
    const swapped = records.map((record) => JSON.parse(JSON.stringify(record).replaceAll('rgb.png', 'grey.png')))
    const third = await make('seed-3', {
      ...{ seed: 7, samples: 3 },
      calibration: swapped.map((record) =>
        JSON.parse(JSON.stringify(record), (_, value) =>
          typeof value === 'string' && /\.(png|jpg)$/.test(value) ? join(scratch, value) : value,
        ),
      ),
    })
    expect(weights(third.path)).not.toEqual(weights(one.path))
  })
})

describe('lines that can not be read', () => {
  const folder = withProcessor(seeingCheckpoints.find(({ name }) => name === 'smolvlm')!, scratch)
  const png = readFileSync(join(scratch, 'rgb.png'))
  writeFileSync(join(scratch, 'cut.png'), png.subarray(0, png.length / 2))
  writeFileSync(join(scratch, 'text.png'), 'no image')
  let made = 0
  test.each([
    [{ image: 'none.png', text: 'a' }, /bad-\d+\.jsonl line 2: there is no image .*none\.png/],
    [{ image: 'cut.png', text: 'a' }, /bad-\d+\.jsonl line 2: /],
    [{ image: 'text.png', text: 'a' }, /bad-\d+\.jsonl line 2: /],
    [{ image: 'https://example.org/a.png', text: 'a' }, /line 2: .*not fetched/],
    [{ image: 7, text: 'a' }, /line 2: /],
    [{ images: ['rgb.png'], text: '<image> <image>' }, /line 2 has 1 images/],
    [{ messages: [{ role: 'user', content: [{ type: 'video', video: 'a' }, part('rgb.png')] }] }, /line 2: .*video/],
  ])('%j', async (record, message) => {
    const path = join(scratch, `bad-${made++}.jsonl`)
    writeFileSync(path, [records[0], record].map((line) => JSON.stringify(line)).join('\n'))
    const output = join(scratch, `bad-${made}`)
    const options = { model: folder, output, engine, method: 'awq', groupSize: 16, calibration: path } as const
    await expect(quantize(options)).rejects.toThrow(message)
  })

  test('images for a model that reads text alone', async () => {
    const model = fileURLToPath(new URL('../fixtures/models/llama', import.meta.url))
    const options = { output: join(scratch, 'blind'), engine, method: 'awq', groupSize: 16, calibration: file } as const
    await expect(quantize({ ...options, model })).rejects.toThrow(/pairs\.jsonl line 1: .*reads text alone/)
  })
})
