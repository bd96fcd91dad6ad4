import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openCheckpoint } from '../checkpoint.ts'
import { commit, gitOid, type HubImitation, type ImitationOptions, imitateHub } from '../fixtures/hub-imitation.ts'
import { memorySink, writeSafetensors } from '../safetensors-write.ts'
import { downloadFromHub } from './hub.ts'
import type { HubOptions } from './hub-settings.ts'
import { resolveModel } from './resolve-model.ts'

const name = 'org/tiny-model'
const text = (value: string) => new TextEncoder().encode(value)

async function weights(tensor: string, bytes = 3): Promise<Uint8Array> {
  const sink = memorySink()
  const data = Uint8Array.from({ length: bytes }, (_, i) => Math.imul(i, 2654435761) >>> 24)
  await writeSafetensors([{ name: tensor, dtype: 'U8', shape: [bytes], data }], sink)
  return sink.bytes()
}

let cacheDir = ''
let hub: HubImitation | undefined
let weightBytes = new Uint8Array(0)
let files: Record<string, Uint8Array> = {}

beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'awq-hub-'))
  weightBytes = new Uint8Array(await weights('w', 300_000))
  files = {
    'README.md': text('not needed'),
    'config.json': text('{}'),
    'tokenizer.json': text('{"tokenizer":true}'),
    'tokenizer_config.json': text('{}'),
    'chat_template.jinja': text(''),
    'onnx/model.safetensors': text('another copy'),
    'pytorch_model.bin': text('another format'),
    'model.safetensors': weightBytes,
  }
})

afterEach(async () => {
  hub?.close()
  hub = undefined
  await rm(cacheDir, { recursive: true, force: true })
})

/** Starts an imitation and gives the options to reach it, with an environment of its own. */
async function start(options: Partial<ImitationOptions> = {}): Promise<HubOptions> {
  hub = await imitateHub({ name, files, ...options })
  return { hubUrl: hub.url, cacheDir, environment: {} }
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const root = () => join(cacheDir, 'models--org--tiny-model')
const blobs = () => readdir(join(root(), 'blobs')).catch(() => [])
const offline = (options: HubOptions): HubOptions => ({ ...options, environment: { HF_HUB_OFFLINE: '1' } })

describe('a model of the hub', () => {
  test('is downloaded as far as it is needed, and opens', async () => {
    const events: string[] = []
    const options = await start({ page: 3 })
    const folder = await resolveModel(name, {
      ...options,
      onProgress: ({ file, loaded, total }) => events.push(`${file} ${loaded}/${total}`),
    })
    expect(await folder.list()).toEqual([
      'chat_template.jinja',
      'config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ])
    const checkpoint = await openCheckpoint(folder)
    expect([...checkpoint.tensors.keys()]).toEqual(['w'])
    await checkpoint.close()
    expect(events).toContain(`model.safetensors ${weightBytes.length}/${weightBytes.length}`)
    expect(events).toContain('chat_template.jinja 0/0')
  })

  test('lies in the cache as Python lays it out', async () => {
    await resolveModel(name, await start())
    const snapshot = join(root(), 'snapshots', commit)
    expect(await readlink(join(snapshot, 'model.safetensors'))).toBe(`../../blobs/${sha256(weightBytes)}`)
    expect(await readlink(join(snapshot, 'config.json'))).toBe(`../../blobs/${gitOid(text('{}'))}`)
    expect(await readFile(join(root(), 'refs', 'main'), 'utf8')).toBe(commit)
    expect((await blobs()).every((blob) => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(blob))).toBe(true)
  })

  test('is located behind its links', async () => {
    const folder = await resolveModel(name, await start())
    const located = await folder.locate?.('model.safetensors')
    expect(located?.file).toBe(sha256(weightBytes))
    expect(located?.directory.endsWith(join('models--org--tiny-model', 'blobs'))).toBe(true)
  })

  test('is not downloaded twice', async () => {
    const options = await start()
    await resolveModel(name, options)
    const before = hub!.requests.length
    await resolveModel(name, options)
    expect(hub!.requests.slice(before).filter((request) => request.includes('/resolve/'))).toEqual([])
  })

  test('is used offline, by a flag or a variable, without a request', async () => {
    const options = await start()
    const online = await resolveModel(name, options)
    const before = hub!.requests.length
    expect((await resolveModel(name, offline(options))).path).toBe(online.path)
    expect((await resolveModel(name, { ...options, localFilesOnly: true })).path).toBe(online.path)
    expect(hub!.requests.length).toBe(before)
  })

  test('is used from the cache when the hub cannot be reached', async () => {
    const options = await start()
    const online = await resolveModel(name, options)
    hub!.close()
    expect((await resolveModel(`hf:${name}`, options)).path).toBe(online.path)
  })

  test('may be asked for by commit', async () => {
    const options = { ...(await start()), revision: commit }
    const folder = await resolveModel(name, options)
    expect(folder.path?.endsWith(commit)).toBe(true)
    expect((await resolveModel(name, offline(options))).path).toBe(folder.path)
  })

  test('in shards: the index and its shards, no other copy', async () => {
    const weight_map = { a: 'model-1.safetensors', b: 'model-2.safetensors' }
    files = {
      'config.json': text('{}'),
      'model.safetensors.index.json': text(JSON.stringify({ weight_map })),
      'model-1.safetensors': await weights('a'),
      'model-2.safetensors': await weights('b'),
      'consolidated.safetensors': await weights('a'),
    }
    const options = await start()
    const folder = await resolveModel(name, options)
    expect(await folder.list()).not.toContain('consolidated.safetensors')
    const checkpoint = await openCheckpoint(folder)
    expect([...checkpoint.tensors.keys()]).toEqual(['a', 'b'])
    await checkpoint.close()
    await rm(join(folder.path!, 'model-2.safetensors'))
    await expect(resolveModel(name, offline(options))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('that is quantized brings all its safetensors', async () => {
    files = {
      'config.json': text('{}'),
      'quantization.json': text('{}'),
      'model-1.safetensors': await weights('a'),
      'model-2.safetensors': await weights('b'),
    }
    const folder = await resolveModel(name, await start())
    expect(await folder.list()).toEqual(Object.keys(files).sort())
  })

  test('the token goes to the hub, and not to where it redirects', async () => {
    const options = await start({ token: 'hf_secret' })
    await resolveModel(name, { ...options, environment: { HF_TOKEN: 'hf_secret' } })
    expect(hub!.leaked).toEqual([])
  })
})

describe('GGUF files of the hub', () => {
  const gguf = (content: string) => text(`GGUF${content}`)

  test('the only one is the model, with or without a config.json', async () => {
    files = { 'README.md': text(''), 'tiny.Q4_0.gguf': gguf('4'), 'mmproj-tiny.gguf': gguf('vision') }
    const options = await start()
    const folder = await resolveModel(name, options)
    expect(await folder.list()).toEqual(['tiny.Q4_0.gguf'])
    expect((await resolveModel(name, offline(options))).path).toBe(folder.path)
  })

  test('all pieces of a large one are fetched', async () => {
    files = { 'tiny-00001-of-00002.gguf': gguf('a'), 'tiny-00002-of-00002.gguf': gguf('b'), 'config.json': text('{}') }
    const options = await start()
    const folder = await resolveModel(name, options)
    expect(await folder.list()).toEqual(Object.keys(files).sort())
    await rm(join(folder.path!, 'tiny-00002-of-00002.gguf'))
    await expect(resolveModel(name, offline(options))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('of several, one is named, and is alone in its folder', async () => {
    files = {
      'config.json': text('{}'),
      'tiny.Q4_0.gguf': gguf('4'),
      'tiny.Q8_0.gguf': gguf('8'),
      'big/tiny-00001-of-00002.gguf': gguf('a'),
      'big/tiny-00002-of-00002.gguf': gguf('b'),
    }
    const options = await start()
    await expect(resolveModel(name, options)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(
        /several GGUF files.*name one of them, as ORG\/NAME\/FILE; it has .*"tiny.Q4_0.gguf"/,
      ),
    })
    const reference = `${name}/tiny.Q4_0.gguf`
    const folder = await resolveModel(reference, options)
    expect(hub!.requests.filter((request) => /resolve.*gguf/.test(request)).join()).not.toMatch(/Q8_0|big/)
    await resolveModel(`${name}/tiny.Q8_0.gguf`, options)
    for (const found of [folder, await resolveModel(`hf:${reference}`, offline(options))]) {
      expect(await found.list()).toEqual(['tiny.Q4_0.gguf'])
      expect(await found.readText('tiny.Q4_0.gguf')).toBe('GGUF4')
      expect(await found.has('tiny.Q8_0.gguf')).toBe(false)
      await expect(found.open('tiny.Q8_0.gguf')).rejects.toMatchObject({ code: 'NOT_FOUND' })
      expect(found.origin).toEqual({ repository: name, revision: commit })
    }
    const pieces = await resolveModel(`${name}/big/tiny-00001-of-00002.gguf`, options)
    expect(await pieces.list()).toEqual(['tiny-00001-of-00002.gguf', 'tiny-00002-of-00002.gguf'])
  })

  test('one beside safetensors is read when it is named, and else not fetched', async () => {
    files = { 'config.json': text('{}'), 'model.safetensors': weightBytes, 'tiny.gguf': gguf('4') }
    const options = await start()
    expect(await (await resolveModel(name, options)).list()).toEqual(['config.json', 'model.safetensors'])
    expect(await (await resolveModel(`${name}/tiny.gguf`, options)).list()).toEqual(['tiny.gguf'])
  })

  test.each([
    ['tiny.Q5_0.gguf', /has no file "tiny.Q5_0.gguf"; name one of them.*"tiny.Q4_0.gguf"/],
    ['../../evil.gguf', /does not exist/],
  ])('one that is not there: %s', async (file, message) => {
    files = { 'tiny.Q4_0.gguf': gguf('4') }
    const options = await start()
    await expect(resolveModel(`${name}/${file}`, options)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(message),
    })
    await expect(resolveModel(`hf:${name}/${file}`, offline(options))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('a download that fails', () => {
  const isBody = (url: string | undefined, range: string | undefined) =>
    url === '/model.safetensors' && range !== 'bytes=0-0'

  test('goes on where the connection died', async () => {
    const bodies: (string | undefined)[] = []
    const options = await start({
      intercept: (request, response) => {
        if (!isBody(request.url, request.headers.range)) return false
        bodies.push(request.headers.range)
        if (bodies.length > 1) return false
        response.writeHead(200, { 'content-length': weightBytes.length }).write(weightBytes.subarray(0, 100_000))
        setTimeout(() => request.socket.destroy(), 100)
        return true
      },
    })
    const folder = await resolveModel(name, options)
    expect(bodies).toEqual([undefined, `bytes=100000-${weightBytes.length - 1}`])
    expect(new Uint8Array(await readFile(join(folder.path!, 'model.safetensors')))).toEqual(weightBytes)
  })

  test('is never taken for a complete one, and is continued by the next', async () => {
    let dying = true
    const options = await start({
      intercept: (request, response) => {
        if (!dying || !isBody(request.url, request.headers.range)) return false
        const from = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0)
        const status = from === 0 ? 200 : 206
        response.writeHead(status, { 'content-length': weightBytes.length - from })
        response.write(weightBytes.subarray(from, from + 50_000))
        setTimeout(() => request.socket.destroy(), 100)
        return true
      },
    })
    await expect(resolveModel(name, options)).rejects.toMatchObject({ code: 'NETWORK' })
    expect(await blobs()).toContain(`${sha256(weightBytes)}.awq-partial`)
    expect(await blobs()).not.toContain(sha256(weightBytes))
    await expect(resolveModel(name, offline(options))).rejects.toMatchObject({ code: 'NOT_FOUND' })
    dying = false
    hub!.requests.length = 0
    const folder = await resolveModel(name, options)
    expect(hub!.requests.some((request) => request.includes('bytes=150000-'))).toBe(true)
    expect(new Uint8Array(await readFile(join(folder.path!, 'model.safetensors')))).toEqual(weightBytes)
    expect(await blobs()).not.toContain(`${sha256(weightBytes)}.awq-partial`)
  })

  test('whose bytes are damaged is refused by its hash and not kept', async () => {
    const damaged = weightBytes.slice()
    damaged[1000]! ^= 1
    const options = await start({
      intercept: (request, response) => {
        if (!isBody(request.url, request.headers.range)) return false
        response.writeHead(200, { 'content-length': damaged.length }).end(damaged)
        return true
      },
    })
    await expect(resolveModel(name, options)).rejects.toMatchObject({
      code: 'NETWORK',
      message: expect.stringContaining('hash'),
    })
    expect((await blobs()).filter((blob) => blob.startsWith(sha256(weightBytes)))).toEqual([])
  })

  test('that is aborted rejects with the reason and keeps what it has apart', async () => {
    const stop = new AbortController()
    const reason = new Error('stopped by hand')
    const options = await start({
      intercept: (request, response) => {
        if (!isBody(request.url, request.headers.range)) return false
        response.writeHead(200, { 'content-length': weightBytes.length }).write(weightBytes.subarray(0, 1000))
        setTimeout(() => stop.abort(reason), 50)
        return true
      },
    })
    await expect(resolveModel(name, { ...options, signal: stop.signal })).rejects.toBe(reason)
    expect(await blobs()).not.toContain(sha256(weightBytes))
  })

  test('a truncated file in the cache is fetched again', async () => {
    const options = await start()
    const folder = await resolveModel(name, options)
    await writeFile(join(root(), 'blobs', sha256(weightBytes)), weightBytes.subarray(0, 10))
    await resolveModel(name, options)
    expect(new Uint8Array(await readFile(join(folder.path!, 'model.safetensors')))).toEqual(weightBytes)
  })
})

describe('errors say what to do', () => {
  test.each([
    [401, {}, 'NOT_FOUND', /is not on http.*, or is private: check the name, or set HF_TOKEN/],
    [401, { HF_TOKEN: 'hf_wrong' }, 'NETWORK', /does not accept the access token/],
    [403, {}, 'NETWORK', /is gated: accept its terms/],
    [404, {}, 'NOT_FOUND', /is not on http.*check the name/],
    [500, {}, 'NETWORK', /answered 500; try again later/],
  ])('%i %j', async (status, environment, code, message) => {
    const options = await start({ intercept: (_, response) => Boolean(response.writeHead(status).end()) })
    const failing = resolveModel(name, { ...options, environment })
    await expect(failing).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
    await expect(failing).rejects.toThrow('there is no local folder "org/tiny-model" either')
  })

  test('no network: at once, naming the hub and the way out', async () => {
    const begun = Date.now()
    const failing = resolveModel(name, { hubUrl: 'http://127.0.0.1:1', cacheDir, environment: {} })
    await expect(failing).rejects.toMatchObject({
      code: 'NETWORK',
      message: expect.stringMatching(/http:\/\/127\.0\.0\.1:1 cannot be reached: .*; check the connection/),
    })
    expect(Date.now() - begun).toBeLessThan(5000)
  })

  test('offline and not in the cache', async () => {
    const failing = resolveModel(name, { cacheDir, environment: { HF_HUB_OFFLINE: 'yes' } })
    await expect(failing).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/not \(wholly\) in the cache/),
    })
  })

  test.each([
    ['./missing', /the folder "\.\/missing" does not exist/],
    ['/missing/model', /the folder "\/missing\/model" does not exist/],
    ['a/b/c', /the folder "a\/b\/c" does not exist/],
    ['just-a-name', /neither an existing folder nor a hub id/],
    ['org/with space', /neither an existing folder nor a hub id/],
    ['hf:../../etc', /neither an existing folder nor a hub id/],
    ['', /neither an existing folder nor a hub id/],
  ])('the reference %j', async (reference, message) => {
    await expect(resolveModel(reference, { cacheDir, environment: {} })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(message),
    })
  })

  test('a file instead of a folder', async () => {
    const path = join(cacheDir, 'file')
    await writeFile(path, '')
    await expect(resolveModel(path)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  test('a model without safetensors', async () => {
    files = { 'config.json': text('{}'), 'pytorch_model.bin': text('x') }
    const options = await start()
    await expect(resolveModel(name, options)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/no safetensors weights, only other formats/),
    })
  })

  test.each<[string, HubOptions, string]>([
    ['a token that is none', { environment: { HF_TOKEN: 'abc' } }, 'CONFIG'],
    ['an endpoint that is none', { environment: { HF_ENDPOINT: 'hub' } }, 'CONFIG'],
    ['a revision that leaves its folder', { revision: '../../x', environment: {} }, 'INVALID_ARGUMENT'],
  ])('%s', async (_, options, code) => {
    await expect(resolveModel(name, { cacheDir, ...options })).rejects.toMatchObject({ code })
  })
})

describe('a hostile hub', () => {
  test.each<[string, object]>([
    ['a path that leaves the cache', { path: '../../../evil.safetensors' }],
    ['a hash that is a path', { lfs: { oid: '../../evil', size: 3, pointerSize: 1 } }],
    ['an object id that is a path', { oid: '../evil' }],
    ['a negative size', { lfs: { oid: 'a'.repeat(64), size: -1, pointerSize: 1 } }],
    ['a size that is no number', { lfs: { oid: 'a'.repeat(64), size: '3', pointerSize: 1 } }],
  ])('%s is refused', async (_, entry) => {
    const options = await start({ listing: { 'model.safetensors': entry } })
    const everything = downloadFromHub({ type: 'model', name }, (all) => all, options)
    await expect(everything).rejects.toMatchObject({ code: expect.stringMatching(/^(NETWORK|INVALID_ARGUMENT)$/) })
    expect(await blobs()).toEqual([])
  })

  test('a size that is not the file’s is refused', async () => {
    const lie = { lfs: { oid: sha256(weightBytes), size: 10, pointerSize: 1 } }
    const options = await start({ listing: { 'model.safetensors': lie } })
    await expect(resolveModel(name, options)).rejects.toThrow('lists 10 bytes but offers')
  })
})

test('a reference in the cache that is no commit is not followed', async () => {
  const options = await start()
  await resolveModel(name, options)
  await writeFile(join(root(), 'refs', 'main'), `../snapshots/${commit}`)
  await expect(resolveModel(name, offline(options))).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

describe('local folders', () => {
  test('come first, whatever the hub has', async () => {
    const path = join(cacheDir, 'org', 'tiny-model')
    await mkdir(path, { recursive: true })
    const folder = await resolveModel(path, { hubUrl: 'http://127.0.0.1:1' })
    expect(folder.path).toBe(path)
  })
})

test('chosen files of any repository, in subfolders too', async () => {
  const select = (all: readonly string[]) => all.filter((file) => file.startsWith('onnx/'))
  const path = await downloadFromHub({ type: 'model', name }, select, await start())
  expect(await readFile(join(path, 'onnx', 'model.safetensors'), 'utf8')).toBe('another copy')
})
