import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { imitatePushes, type PushImitation, type PushImitationOptions } from '../fixtures/push-imitation.ts'
import { type PushOptions, pushToHub } from './hub-push.ts'

const token = 'hf_right'
const name = 'org/tiny-4bit'
const weights = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251)
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

let folder = ''
let hub: PushImitation | undefined

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'awq-push-'))
  await mkdir(join(folder, 'onnx'))
  await writeFile(join(folder, 'config.json'), '{}')
  await writeFile(join(folder, 'model.safetensors'), weights)
  await writeFile(join(folder, 'onnx', 'model.onnx_data'), weights.subarray(1))
  await writeFile(join(folder, '.awq-lock'), 'hidden')
})
afterEach(async () => {
  hub?.close()
  hub = undefined
  await rm(folder, { recursive: true, force: true })
})

const start = async (options: Partial<PushImitationOptions> = {}): Promise<PushOptions> => {
  hub = await imitatePushes({ token, ...options })
  return { hubUrl: hub.url, token, environment: {} }
}

/** Answers requests whose path matches with a status. */
const answering = (pattern: RegExp, status: number, times = Number.POSITIVE_INFINITY) => {
  let left = times
  return {
    intercept: (
      request: { readonly url?: string | undefined },
      response: { writeHead(status: number): { end(text: string): void } },
    ) => {
      if (!pattern.test(request.url ?? '') || left-- <= 0) return false
      response.writeHead(status).end('{"error":"no"}')
      return true
    },
  }
}

describe('pushing to the hub', () => {
  test('makes the repository, stores large files and commits all of them', async () => {
    const options = await start()
    const seen = new Map<string, number>()
    const pushed = await pushToHub(folder, name, {
      ...options,
      onProgress: ({ file, loaded }) => seen.set(file, loaded),
    })
    expect(pushed).toEqual({
      url: `${hub!.url}/${name}/tree/main`,
      revision: 'c'.repeat(40),
      files: ['config.json', 'model.safetensors', 'onnx/model.onnx_data'],
      bytes: 2 + 300_000 + 299_999,
    })
    const files = hub!.repositories.get(name)!
    expect([...files.keys()].sort()).toEqual(['config.json', 'model.safetensors', 'onnx/model.onnx_data'])
    expect(Buffer.from(files.get('config.json') as Uint8Array).toString()).toBe('{}')
    expect(files.get('model.safetensors')).toBe(sha256(weights))
    expect(new Uint8Array(hub!.store.get(sha256(weights))!)).toEqual(weights)
    expect(seen.get('model.safetensors')).toBe(300_000)
  })

  test('again takes the repository as it is, and large files that are there are not sent', async () => {
    const options = await start()
    await pushToHub(folder, name, options)
    await writeFile(join(folder, 'config.json'), '{"new":1}')
    hub!.requests.length = 0
    await pushToHub(folder, name, options)
    expect(hub!.requests.filter((request) => request.startsWith('PUT'))).toEqual([])
    expect(Buffer.from(hub!.repositories.get(name)!.get('config.json') as Uint8Array).toString()).toBe('{"new":1}')
  })

  test('that is aborted commits nothing, and goes on with what was sent', async () => {
    const controller = new AbortController()
    let commits = 0
    const options = await start({
      // The first commit gets no answer.
      intercept: (request) => {
        if (!request.url?.includes('/commit/') || ++commits > 1) return false
        controller.abort(new Error('enough'))
        return true
      },
    })
    await expect(pushToHub(folder, name, { ...options, signal: controller.signal })).rejects.toThrow('enough')
    expect(hub!.repositories.get(name)?.size).toBe(0)
    hub!.requests.length = 0
    await pushToHub(folder, name, options)
    expect(hub!.requests.filter((request) => request.startsWith('PUT'))).toEqual([])
    expect(hub!.repositories.get(name)?.size).toBe(3)
  })

  test.each([
    [/preupload/, 401, /does not accept the access token/],
    [/create/, 403, /does not let this account write there.*right "write"/],
    [/commit/, 409, /branch main was changed by somebody else meanwhile; push again/],
    [/commit/, 412, /push again/],
    [/objects\/batch/, 413, /has no room for files of this size/],
    [/store/, 500, /answered 500; try again later/],
  ])('says what to do when %s answers %i', async (pattern, status, message) => {
    const options = await start(answering(pattern, status))
    await expect(pushToHub(folder, name, options)).rejects.toMatchObject({
      code: 'NETWORK',
      message: expect.stringMatching(message),
    })
    expect(hub!.repositories.get(name)?.size ?? 0).toBe(0)
  })

  test('needs a token, a name, files and a server', async () => {
    const options = await start()
    await expect(pushToHub(folder, name, { ...options, token: undefined })).rejects.toThrow(/set HF_TOKEN/)
    await expect(pushToHub(folder, name, { ...options, token: 'hf_wrong' })).rejects.toThrow(/does not accept/)
    await expect(pushToHub(folder, 'tiny', options)).rejects.toThrow(/ORG\/NAME/)
    await expect(pushToHub(join(folder, 'missing'), name, options)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    const empty = join(folder, 'empty')
    await mkdir(empty)
    await expect(pushToHub(empty, name, options)).rejects.toThrow(/has no files to push/)
    hub!.close()
    await expect(pushToHub(folder, name, options)).rejects.toThrow(/cannot be reached/)
  })
})
