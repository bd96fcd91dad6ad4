import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  cachedFolder,
  cachedModels,
  directoryFolder,
  filesFolder,
  removeCached,
  sha256,
  urlFolder,
} from '../browser.ts'
import type { ByteSource } from '../byte-source.ts'
import { AwqError } from '../error.ts'
import { type Folder, memoryFolder } from '../folder.ts'
import { pieceBytes } from './cache-files.ts'

const model = '/examples/models/stories260k/'

let root: FileSystemDirectoryHandle
let place: string
beforeEach(async () => {
  place = `test-${crypto.randomUUID()}`
  root = await (await navigator.storage.getDirectory()).getDirectoryHandle(place, { create: true })
})
afterEach(async () => {
  await (await navigator.storage.getDirectory()).removeEntry(place, { recursive: true })
})

const writeText = async (directory: FileSystemDirectoryHandle, name: string, text: string): Promise<void> => {
  const writable = await (await directory.getFileHandle(name, { create: true })).createWritable()
  await writable.write(text)
  await writable.close()
}

/** Bytes of three pieces, the last one short. */
const large = (): Uint8Array => Uint8Array.from({ length: 2 * pieceBytes + 1000 }, (_, i) => (i * 7919) >> 5)

/** A folder of one file that counts what is read of it, and fails when it is told to. */
const counted = (bytes: Uint8Array, version = '1') => {
  const log: [offset: number, length: number][] = []
  const control = { failFrom: Number.POSITIVE_INFINITY, unreachable: false }
  const inner = memoryFolder({ 'model.safetensors': bytes, 'config.json': '{"a":1}', 'tokenizer.json': '{}' }, 'origin')
  const folder: Folder = {
    ...inner,
    list: async () => {
      if (control.unreachable) throw new AwqError('NETWORK', 'offline')
      return inner.list()
    },
    open: async (file): Promise<ByteSource> => {
      if (control.unreachable) throw new AwqError('NETWORK', 'offline')
      const source = await inner.open(file)
      return {
        ...source,
        version,
        read: async (offset, length, options) => {
          options?.signal?.throwIfAborted()
          if (offset >= control.failFrom) throw new AwqError('NETWORK', 'the connection ended')
          log.push([offset, length])
          return source.read(offset, length, options)
        },
      }
    },
    readText: async () => expect.unreachable(),
  }
  return { folder, log, control }
}

const bytesOf = async (source: ByteSource): Promise<Uint8Array> => source.read(0, source.size)

test('a folder of the private storage lists, has, opens and gives Blobs', async () => {
  await writeText(root, 'config.json', '{"x":1}')
  await root.getDirectoryHandle('sub', { create: true })
  const folder = directoryFolder(root, 'mine')
  expect(await folder.list()).toEqual(['config.json'])
  expect([await folder.has('config.json'), await folder.has('sub'), await folder.has('no')]).toEqual([
    true,
    false,
    false,
  ])
  expect(await folder.readText('config.json')).toBe('{"x":1}')
  expect(await (await (await folder.open('config.json')).blob!(1, 3)).text()).toBe('"x"')
  await expect(folder.open('no')).rejects.toMatchObject({ code: 'NOT_FOUND', message: 'mine has no file "no"' })
})

test('a URL beside the page, in parts and as Blobs', async () => {
  const folder = urlFolder(model)
  expect(await folder.list()).toEqual([
    'config.json',
    'generation_config.json',
    'model.safetensors',
    'tokenizer.json',
    'tokenizer_config.json',
  ])
  const source = await folder.open('model.safetensors')
  const whole = await bytesOf(source)
  expect(new Uint8Array(await (await source.blob!(8, 100)).arrayBuffer())).toEqual(whole.slice(8, 108))
})

describe('a copy', () => {
  test('is fetched once, verified, and serves without its origin', async () => {
    const bytes = large()
    const { folder, log, control } = counted(bytes)
    const options = { name: 'https://host/model', root, hashes: { 'model.safetensors': await sha256(bytes) } }
    const copy = await cachedFolder(folder, options)
    const source = await copy.open('model.safetensors')
    expect(await source.read(5, 3)).toEqual(bytes.slice(5, 8))
    expect(log).toEqual([[5, 3]])
    const told: number[] = []
    await source.download!({ onProgress: (loaded) => told.push(loaded) })
    expect(told).toEqual([0, pieceBytes, 2 * pieceBytes, bytes.length])
    expect(await copy.readText('config.json')).toBe('{"a":1}')
    expect(await cachedModels(root)).toEqual([{ name: options.name, bytes: bytes.length + 7, complete: true }])

    control.unreachable = true
    const again = await cachedFolder(folder, options)
    expect(await again.list()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json'])
    expect([await again.has('vocab.json'), await again.readText('config.json')]).toEqual([false, '{"a":1}'])
    const offline = await again.open('model.safetensors')
    await offline.download!()
    expect(await bytesOf(offline)).toEqual(bytes)
    const across = await offline.blob!(pieceBytes - 3, 6)
    expect(new Uint8Array(await across.arrayBuffer())).toEqual(bytes.slice(pieceBytes - 3, pieceBytes + 3))

    await removeCached(options.name, root)
    expect(await cachedModels(root)).toEqual([])
    const gone = await cachedFolder(folder, options)
    await expect(gone.list()).rejects.toMatchObject({ code: 'NETWORK' })
  })

  test('of a server in trouble is asked for again', async () => {
    let missing = ['tokenizer.json']
    const served = memoryFolder({ 'config.json': '{}', 'model.safetensors': 'x', 'tokenizer.json': '{}' })
    const origin: Folder = {
      ...served,
      list: async () => (await served.list()).filter((file) => !missing.includes(file)),
    }
    const open = async () => cachedFolder(origin, { name: 'm', root })
    expect(await (await open()).has('tokenizer.json')).toBe(false)
    expect(await (await open()).readText('config.json')).toBe('{}')
    expect(await cachedModels(root)).toEqual([{ name: 'm', bytes: 2, complete: false }])
    missing = []
    expect(await (await open()).readText('tokenizer.json')).toBe('{}')
  })

  test('goes on where an interrupted download was', async () => {
    const bytes = large()
    const { folder, log, control } = counted(bytes)
    const options = { name: 'm', root, hashes: { 'model.safetensors': await sha256(bytes) } }
    control.failFrom = 2 * pieceBytes
    const broken = await (await cachedFolder(folder, options)).open('model.safetensors')
    await expect(broken.download!()).rejects.toMatchObject({ code: 'NETWORK' })
    expect((await cachedModels(root))[0]).toEqual({ name: 'm', bytes: 2 * pieceBytes, complete: false })
    control.failFrom = Number.POSITIVE_INFINITY
    log.length = 0
    const source = await (await cachedFolder(folder, options)).open('model.safetensors')
    await source.download!()
    expect(log).toEqual([[2 * pieceBytes, 1000]])
    expect(await bytesOf(source)).toEqual(bytes)
  })

  test('begins anew when the file is another one meanwhile', async () => {
    const bytes = large()
    const first = counted(bytes, '1')
    first.control.failFrom = pieceBytes
    const broken = await (await cachedFolder(first.folder, { name: 'm', root })).open('model.safetensors')
    await expect(broken.download!()).rejects.toMatchObject({ code: 'NETWORK' })
    const changed = large().fill(3, 0, 100)
    const second = counted(changed, '2')
    const source = await (await cachedFolder(second.folder, { name: 'm', root })).open('model.safetensors')
    await source.download!()
    expect(second.log).toHaveLength(3)
    expect(await bytesOf(source)).toEqual(changed)
  })

  test('that is damaged is mended where the origin can be asked, else refused', async () => {
    const bytes = large()
    const { folder, log, control } = counted(bytes)
    const copy = await cachedFolder(folder, { name: 'm', root })
    await (await copy.open('model.safetensors')).download!()
    const pieces = await (
      await (await root.getDirectoryHandle('awq-models')).getDirectoryHandle('m')
    ).getDirectoryHandle('model.safetensors')
    const damaged = bytes.slice(pieceBytes, 2 * pieceBytes)
    damaged[77]! ^= 1
    const writable = await (await pieces.getFileHandle('1')).createWritable()
    await writable.write(damaged)
    await writable.close()
    control.unreachable = true
    const offline = await cachedFolder(folder, { name: 'm', root })
    await expect(offline.open('model.safetensors')).rejects.toMatchObject({ code: 'NETWORK' })
    control.unreachable = false
    log.length = 0
    const source = await (await cachedFolder(folder, { name: 'm', root })).open('model.safetensors')
    await source.download!()
    expect(log).toEqual([[pieceBytes, pieceBytes]])
    expect(await bytesOf(source)).toEqual(bytes)
  })

  test('whose hash is not the stated one is refused, and not kept', async () => {
    const { folder } = counted(large())
    const options = { name: 'm', root, hashes: { 'model.safetensors': '0'.repeat(64) } }
    const source = await (await cachedFolder(folder, options)).open('model.safetensors')
    await expect(source.download!()).rejects.toThrow(/SHA-256/)
    expect((await cachedModels(root))[0]).toMatchObject({ bytes: 0, complete: false })
  })

  test('knows the hashes of a quantized model from its manifest', async () => {
    const files = { 'quantization.json': JSON.stringify({ hashes: { x: 'b'.repeat(64) } }), x: 'damaged' }
    const copy = await cachedFolder(memoryFolder(files), { name: 'm', root })
    await expect(copy.open('x')).rejects.toMatchObject({ code: 'INVALID_FILE' })
  })

  test('stops by its signal and keeps what it has', async () => {
    const bytes = large()
    const { folder } = counted(bytes)
    const stop = new AbortController()
    const reason = new Error('enough')
    const source = await (await cachedFolder(folder, { name: 'm', root })).open('model.safetensors')
    const onProgress = (loaded: number) => loaded > 0 && stop.abort(reason)
    await expect(source.download!({ signal: stop.signal, onProgress })).rejects.toBe(reason)
    expect((await cachedModels(root))[0]!.bytes).toBe(pieceBytes)
  })

  test('is downloaded once by two that want it at the same time', async () => {
    const bytes = large()
    const { folder, log } = counted(bytes)
    const [one, two] = await Promise.all(
      [0, 1].map(async () => (await cachedFolder(folder, { name: 'm', root })).open('model.safetensors')),
    )
    await Promise.all([one!.download!(), two!.download!()])
    expect(log).toHaveLength(3)
    expect(await bytesOf(two!)).toEqual(bytes)
  })

  test('of a server without ranges is fetched in one go, and what is there is not written again', async () => {
    const bytes = Uint8Array.from({ length: 4 * pieceBytes + 1000 }, (_, i) => (i * 7919) >> 5)
    let end = 3 * pieceBytes
    let asked = 0
    const whole: typeof fetch = async (input) => {
      if (!String(input).endsWith('model.safetensors')) return new Response('{}')
      asked += 1
      return new Response(bytes.slice(0, end), { headers: { 'content-length': String(bytes.length), etag: '"1"' } })
    }
    const remote = urlFolder('/model', { files: ['model.safetensors'], fetch: whole, retries: 0 })
    const broken = await (await cachedFolder(remote, { name: 'm', root })).open('model.safetensors')
    expect(broken.wholeOnly).toBe(true)
    await expect(broken.download!()).rejects.toMatchObject({ code: 'NETWORK' })
    expect((await cachedModels(root))[0]!.bytes).toBe(3 * pieceBytes)
    end = bytes.length
    asked = 0
    const source = await (await cachedFolder(remote, { name: 'm', root })).open('model.safetensors')
    const told: number[] = []
    await source.download!({ onProgress: (loaded) => told.push(loaded) })
    expect([told[0], told.at(-1), asked, source.wholeOnly]).toEqual([3 * pieceBytes, bytes.length, 1, false])
    expect(await bytesOf(source)).toEqual(bytes)
  })

  test('of files that were chosen', async () => {
    const copy = await cachedFolder(filesFolder([new File(['{}'], 'config.json')]), { name: 'picked', root })
    expect(await copy.readText('config.json')).toBe('{}')
  })
})

test('a length that no file has is refused, before a table of its pieces is made', async () => {
  const { folder } = counted(large())
  const forged: Folder = { ...folder, open: async (file) => ({ ...(await folder.open(file)), size: 1e15 }) }
  const copy = await cachedFolder(forged, { name: 'forged', root })
  await expect(copy.open('model.safetensors')).rejects.toMatchObject({
    code: 'INVALID_FILE',
    message: expect.stringContaining('has 1000000000000000 bytes by what its server says'),
  })
})
