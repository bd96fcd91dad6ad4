import { quantize } from '@awq/core'
import {
  compareInWorker,
  listOutputs,
  openOutput,
  outputState,
  type QuantizeInWorkerOptions,
  quantizeInWorker,
  removeOutput,
} from '@awq/core/browser'
import { AwqError, memoryFolder } from '@awq/tensor'
import { cachedFolder, directoryFolder, filesFolder, removeCached } from '@awq/tensor/browser'
import { beforeAll, describe, expect, test } from 'vitest'
import { cdp } from 'vitest/browser'
import { hashes } from './browser/models.ts'
import { stories, storiesFiles } from './browser/stories.ts'

/** How many times a page is closed at random. */
const MOMENTS = 8
const settings = { groupSize: 32, samples: 4, length: 32, method: 'awq' } as const

const begin = async (output: string, options: Partial<QuantizeInWorkerOptions> = {}) =>
  quantizeInWorker({ model: await stories(), output, ...settings, ...options })

/** Calls `then` when a block is finished. */
const atLayer = (layer: number, then: () => void): Pick<QuantizeInWorkerOptions, 'onProgress'> => ({
  onProgress: (event) => event.type === 'layer' && event.layer === layer && then(),
})

const failure = (promise: Promise<unknown>): Promise<AwqError> =>
  promise.then(
    () => expect.fail('it should have failed'),
    (error: AwqError) => error,
  )

/** A folder that the user chose: one of the private file system stands for it. */
const chosen = async (name: string) =>
  (await navigator.storage.getDirectory()).getDirectoryHandle(name, { create: true })

/**
 * Quantizes in another page, and closes it so many milliseconds after a message of its for which `closes` gives a number; at its
 * end for the latest.
 */
const closedPage = async (
  options: { readonly output: string; readonly picked?: boolean; readonly device?: string },
  closes: (message: { stage?: string; layer?: number }) => number | undefined,
) => {
  const frame = document.createElement('iframe')
  frame.src = `/test/browser/closing-page.html?options=${encodeURIComponent(JSON.stringify({ ...settings, ...options }))}`
  const listening = new AbortController()
  await new Promise<void>((resolve) => {
    const listen = ({ data }: MessageEvent) => {
      if (data?.output !== options.output) return
      const after = data.stage === 'done' ? 0 : closes(data)
      if (after !== undefined) setTimeout(resolve, after)
    }
    addEventListener('message', listen, { signal: listening.signal })
    document.body.append(frame)
  })
  listening.abort()
  frame.remove()
}

const put = async (into: FileSystemDirectoryHandle, name: string, text: string) => {
  const file = await (await into.getFileHandle(name, { create: true })).createWritable()
  await file.write(text)
  await file.close()
}

/** What a run that nothing disturbs writes. */
let expected: Record<string, string>

beforeAll(async () => {
  for (const output of await listOutputs()) await removeOutput(output)
  await begin('models/whole')
  expected = await hashes(await openOutput('models/whole'))
}, 60_000)

describe('quantizing on a page', { timeout: 180_000 }, () => {
  test('leaves a whole model, and nothing else', async () => {
    expect(Object.keys(expected)).toEqual(
      expect.arrayContaining(['quantization.json', 'model.safetensors', 'config.json', 'tokenizer.json', 'README.md']),
    )
    expect(await outputState('models/whole')).toEqual({ state: 'finished', layers: 0 })
    expect(await listOutputs()).toEqual(['models/whole'])
    expect((await failure(begin('models/whole'))).message).toMatch(/holds a finished model/)
  })

  test('copies of models that the page keeps are no outputs', async () => {
    const copy = await cachedFolder(await openOutput('models/whole'), { name: 'a copy' })
    for (const file of await copy.list()) await copy.open(file)
    expect(await listOutputs()).toEqual(['models/whole'])
    await removeCached('a copy')
  })

  test('says what measuring took, and how much memory WebAssembly', async () => {
    const text = 'Once upon a time there was a little girl who had a red ball. '.repeat(20)
    const result = await begin('measured', { measure: { name: 'a girl', text, window: 64, maxWindows: 4 } })
    expect(result.stages.map(({ stage }) => stage)).toEqual(
      expect.arrayContaining(['read', 'statistics', 'scale', 'clip', 'write', 'tables', 'evaluate', 'other']),
    )
    expect(result.memory.heapBytes).toBeGreaterThan(2 ** 20)
    expect(result).not.toHaveProperty('peakRssBytes')
    await removeOutput('measured')
  })

  test('a closed page costs at most the block at work: the result has the same bytes', async () => {
    const output = 'closed'
    await closedPage({ output }, ({ layer }) => (layer === 1 ? 0 : undefined))
    expect(await outputState(output)).toMatchObject({ state: 'unfinished', layers: expect.toSatisfy((n) => n >= 2) })
    expect(await begin(output, { resume: true })).toMatchObject({ resumedLayers: expect.toSatisfy((n) => n >= 2) })
    expect(await hashes(await openOutput(output))).toEqual(expected)
  })

  // Within any block, or where files are moved or copied to their place.
  test.each(
    Array.from(
      { length: MOMENTS },
      (_, i) => [i, ['some block', 'tables'][i % 2]!, i % 4 > 1 ? 'chosen' : 'private'] as const,
    ),
  )('closed at moment %i, in %s, with a %s folder, it goes on', async (moment, within, kind) => {
    const name = `moment-${moment}`
    const output = kind === 'chosen' ? await chosen(name) : name
    const block = Math.floor(Math.random() * 5) - 1
    await closedPage({ output: name, picked: kind === 'chosen' }, ({ stage, layer }) => {
      if (within === 'tables') return stage === 'tables' ? Math.random() * 200 : undefined
      return (block < 0 ? stage === 'blocks' : layer === block) ? Math.random() * 1000 : undefined
    })
    if ((await outputState(output)).state !== 'finished')
      await quantizeInWorker({ ...settings, model: await stories(), output, resume: true })
    expect(await hashes(await openOutput(output))).toEqual(expected)
    await removeOutput(output)
  })

  test('an abort rejects with its reason, soon, and leaves what a resume continues', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    let at = 0
    const abort = () => {
      at = performance.now()
      controller.abort(reason)
    }
    await expect(begin('aborted', { signal: controller.signal, ...atLayer(0, abort) })).rejects.toBe(reason)
    expect(performance.now() - at).toBeLessThan(2000)
    expect(await outputState('aborted')).toMatchObject({ state: 'unfinished' })
    const other = await failure(begin('aborted', { resume: true, bits: 8 }))
    expect(other.message).toMatch(/the interrupted run had another bits/)
    await begin('aborted', { resume: true })
    expect(await hashes(await openOutput('aborted'))).toEqual(expected)
  })

  test('a signal that is aborted already begins nothing', async () => {
    await expect(begin('never', { signal: AbortSignal.abort('no') })).rejects.toBe('no')
    expect(await outputState('never')).toEqual({ state: 'empty', layers: 0 })
  })

  test('two at a time do not write to one output', async () => {
    const second: Promise<AwqError>[] = []
    await begin(
      'twice',
      atLayer(0, () => second.push(failure(begin('twice', { resume: true })))),
    )
    const error = await second[0]
    // It waits a little for a tab that was just closed; the first run may have ended by then.
    expect(error?.message).toMatch(/another tab or Worker is writing there|holds a finished model/)
    expect(error?.code).toBe('EXISTS')
    expect(await hashes(await openOutput('twice'))).toEqual(expected)
  })

  test('another tab that writes for long is told of', async () => {
    await navigator.locks.request('awq:held', async () => {
      expect(await failure(begin('held'))).toMatchObject({
        code: 'EXISTS',
        message: expect.stringMatching(/another tab/),
      })
    })
  })
})

describe('what can go wrong', { timeout: 180_000 }, () => {
  const damaged = async (damage: (bytes: Uint8Array) => Uint8Array) => {
    const files = await storiesFiles()
    return memoryFolder({ ...files, 'model.safetensors': damage(files['model.safetensors']!) }, 'damaged')
  }

  test('damaged checkpoints are refused by name, and leave nothing', async () => {
    const short = await damaged((bytes) => bytes.slice(0, -100))
    expect(await failure(begin('bad', { model: short }))).toMatchObject({ code: 'INVALID_FILE' })
    const infinite = filesFolder(
      [...Object.entries(await storiesFiles())].map(
        ([name, bytes]) => new File([(name === 'model.safetensors' ? bytes.fill(0xff, -64) : bytes).slice()], name),
      ),
    )
    expect(await failure(begin('bad', { model: infinite }))).toMatchObject({ code: 'NUMERIC' })
    const none = memoryFolder({ 'config.json': '{}' }, 'nothing')
    expect(AwqError.is(await failure(begin('bad', { model: none })))).toBe(true)
    expect(await listOutputs()).not.toContain('bad')
  })

  test('full storage says what is needed and free; with more room the work is resumed', async () => {
    const { origin } = location
    const session = cdp() as unknown as { send(method: string, options: object): Promise<unknown> }
    const limit = (quotaSize?: number) => session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize })
    const { usage = 0 } = await navigator.storage.estimate()
    try {
      await limit(usage + 100_000)
      const error = await failure(begin('full'))
      expect(error).toMatchObject({
        code: 'IO',
        message: expect.stringMatching(/storage for this site is full.*needed/),
      })
      const controller = new AbortController()
      await limit()
      await failure(begin('full', { signal: controller.signal, ...atLayer(1, () => controller.abort('')) }))
      await limit(1)
      expect(await failure(begin('full', { resume: true }))).toMatchObject({
        code: 'IO',
        message: expect.stringMatching(/storage for this site is full/),
      })
    } finally {
      await limit()
    }
    await begin('full', { resume: true })
    expect(await hashes(await openOutput('full'))).toEqual(expected)
  })

  test('options that are code, and a Worker that does not load, are named', async () => {
    const method = { name: 'mine', passes: [{ name: 'p', run: async () => {} }], statistics: false, propagate: 'float' }
    expect((await failure(begin('x', { method: method as never }))).message).toMatch(/^method.passes\[0\].run is code/)
    const worker = () => new Worker('/gone.js', { type: 'module' })
    expect((await failure(begin('x', { worker }))).message).toMatch(/Worker of @awq\/core did not load/)
    expect((await failure(begin('../x'))).message).toMatch(/is no folder in the private file system/)
    expect((await failure(quantize({ model: await stories(), output: 'x' }))).message).toMatch(/call quantizeInWorker/)
  })
})

describe('other outputs', { timeout: 180_000 }, () => {
  test('a folder that the user chose gets a copy of the files at the end', async () => {
    const directory = await chosen('picked')
    const controller = new AbortController()
    await failure(
      begin('', { output: directory, signal: controller.signal, ...atLayer(1, () => controller.abort('')) } as never),
    )
    expect(await directoryFolder(directory).list()).toEqual([])
    expect(await outputState(directory)).toMatchObject({ state: 'unfinished' })
    expect(
      await quantizeInWorker({ model: await stories(), ...settings, output: directory, resume: true }),
    ).toMatchObject({
      output: 'picked',
    })
    expect(await outputState(directory)).toEqual({ state: 'finished', layers: 0 })
    expect(await hashes(await openOutput(directory))).toEqual(expected)
  })

  test('a copy that was cut short is made again', async () => {
    const directory = await chosen('cut')
    const controller = new AbortController()
    const atOne = { signal: controller.signal, ...atLayer(1, () => controller.abort('')) }
    await failure(begin('', { output: directory, ...atOne } as never))
    // As a page leaves it that is closed while the last file is copied.
    const root = await navigator.storage.getDirectory()
    const works = await root.getDirectoryHandle('.awq-partial')
    const ids: string[] = []
    for await (const id of works.keys()) ids.push(id)
    expect(ids).toHaveLength(1)
    const work = await works.getDirectoryHandle(ids[0]!)
    await put(work, 'commit.json', JSON.stringify({ from: '', names: ['config.json', 'quantization.json'] }))
    for (const name of ['config.json', 'quantization.json']) await put(work, name, '{}')
    await put(directory, 'config.json', '{}')
    await put(directory, 'quantization.json', '')
    await put(directory, 'quantization.json.crswap', '{')
    // A folder of the same name is another one, with files that are its owner's.
    const other = await (await root.getDirectoryHandle('elsewhere', { create: true })).getDirectoryHandle('cut', {
      create: true,
    })
    await put(other, 'config.json', 'precious')
    expect(await outputState(other)).toEqual({ state: 'empty', layers: 0 })
    expect((await failure(begin('', { output: other, resume: true } as never))).message).toMatch(/cut is not empty/)
    await removeOutput(other)
    expect(await (await other.getFileHandle('config.json')).getFile().then((file) => file.text())).toBe('precious')
    expect(await outputState(directory)).toMatchObject({ state: 'unfinished' })
    await quantizeInWorker({ model: await stories(), ...settings, output: directory, resume: true })
    expect(await hashes(await openOutput(directory))).toEqual(expected)
  })

  test('are not where these packages keep what is theirs', async () => {
    for (const output of ['awq-models', '.awq-partial/x', 'a/.hidden']) {
      expect((await failure(begin(output))).message).toMatch(/can not be an output/)
      expect((await failure(removeOutput(output))).message).toMatch(/can not be an output/)
    }
  })

  test('formats of other programs', async () => {
    await begin('formats', { formats: ['awq', 'transformersjs'] })
    expect((await hashes(await openOutput('formats/awq')))['tokenizer.json']).toBe(expected['tokenizer.json'])
    expect(await (await openOutput('formats/transformersjs')).list()).toContain('onnx/model_q4.onnx')
  })

  test('methods are compared', async () => {
    const rows: string[] = []
    const table = await compareInWorker({
      model: await stories(),
      methods: ['rtn', 'awq'],
      bits: [4],
      groupSize: 32,
      samples: 4,
      length: 32,
      text: 'Once upon a time there was a little girl who had a red ball. '.repeat(20),
      window: 64,
      maxWindows: 2,
      onRow: ({ method }) => rows.push(method),
    })
    expect(rows).toEqual(['float', 'rtn', 'awq'])
    expect(table.map(({ method }) => method)).toEqual(rows)
    for (const { perplexity } of table) expect(perplexity).toBeLessThan(100)
    expect(await listOutputs()).not.toContainEqual(expect.stringMatching('temporary'))
  })
})
