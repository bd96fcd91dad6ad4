import { createHash } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { commit, type HubImitation, type ImitationOptions, imitateHub } from '../fixtures/hub-imitation.ts'
import { type HubFolderOptions, hubFolder, hubModel } from './hub-folder.ts'

const name = 'org/tiny-model'
const text = (value: string) => new TextEncoder().encode(value)
const weights = text('weights of the model')
const files = {
  'README.md': text('not needed'),
  'config.json': text('{}'),
  'tokenizer.json': text('{}'),
  'onnx/model.safetensors': text('another copy'),
  'model.safetensors': weights,
}

let hub: HubImitation | undefined
afterEach(() => hub?.close())

const start = async (options: Partial<ImitationOptions> = {}): Promise<HubFolderOptions> => {
  hub = await imitateHub({ name, files, ...options })
  return { hubUrl: hub.url }
}

describe('a model of the hub', () => {
  test('is the files that it needs, of one commit, with the hashes of weights', async () => {
    const folder = await hubFolder(name, await start({ page: 2 }))
    expect(await folder.list()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json'])
    expect(folder.origin).toEqual({ repository: name, revision: commit })
    expect(folder.hashes).toEqual({ 'model.safetensors': createHash('sha256').update(weights).digest('hex') })
    const source = await folder.open('model.safetensors')
    expect(new TextDecoder().decode(await source.read(11, 9))).toBe('the model')
    expect(hub!.requests.filter((request) => request.includes('/resolve/main/'))).toEqual([])
    await expect(folder.open('README.md')).resolves.toBeDefined()
  })

  test('the token goes to the hub, and not to where it redirects', async () => {
    const options = await start({ token: 'hf_secret' })
    const folder = await hubFolder(`hf:${name}`, { ...options, token: 'hf_secret' })
    expect(new TextDecoder().decode(await (await folder.open('model.safetensors')).read(0, 7))).toBe('weights')
    expect(hub!.leaked).toEqual([])
    await expect(hubFolder(name, options)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining("set the option 'token'"),
    })
  })

  test('one GGUF file of several, with its pieces', async () => {
    const several = {
      'a.gguf': text('a'),
      'big/b-00001-of-00002.gguf': text('b1'),
      'big/b-00002-of-00002.gguf': text('b2'),
    }
    const options = await start({ files: several })
    expect(await (await hubFolder(`${name}/a.gguf`, options)).list()).toEqual(['a.gguf'])
    const pieces = await hubFolder(`${name}/big/b-00001-of-00002.gguf`, options)
    expect(await pieces.list()).toEqual(['b-00001-of-00002.gguf', 'b-00002-of-00002.gguf'])
    expect(await pieces.readText('b-00002-of-00002.gguf')).toBe('b2')
    await expect(hubFolder(name, options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})

describe('what is wrong', () => {
  test.each<[string, string, HubFolderOptions, string]>([
    ['a name of nothing', 'org/none', {}, 'NOT_FOUND'],
    ['a revision of nothing', name, { revision: 'v9' }, 'NOT_FOUND'],
    ['a revision that is none', name, { revision: '../x' }, 'INVALID_ARGUMENT'],
    ['a name that is no id', 'a/b/c', {}, 'INVALID_ARGUMENT'],
    ['hf: and no id', 'hf:model', {}, 'INVALID_ARGUMENT'],
    ['a token that is none', name, { token: 'secret' }, 'CONFIG'],
  ])('%s', async (_, reference, more, code) => {
    await expect(hubFolder(reference, { ...(await start()), ...more })).rejects.toMatchObject({ code })
  })

  test.each<[string, Partial<ImitationOptions>]>([
    ['a path that leaves the folder', { listing: { 'model.safetensors': { path: '../../evil.safetensors' } } }],
    ['a hash that is none', { listing: { 'model.safetensors': { lfs: { oid: 'x', size: 3 } } } }],
    ['a commit that is none', { intercept: (_, response) => Boolean(response.writeHead(200).end('{"sha":"../x"}')) }],
    ['no JSON', { intercept: (_, response) => Boolean(response.writeHead(200).end('<html>')) }],
    [
      'a next page elsewhere, which would get the token',
      {
        intercept: ({ url }, response) =>
          url!.includes('/tree/') &&
          Boolean(response.writeHead(200, { link: '<http://127.0.0.1:1/x>; rel="next"' }).end('[]')),
      },
    ],
  ])('a hub that says %s', async (_, options) => {
    await expect(hubFolder(name, await start(options))).rejects.toMatchObject({
      code: expect.stringMatching(/^(NETWORK|INVALID_ARGUMENT|INVALID_FILE)$/),
    })
  })

  test('a hub that is not there', async () => {
    await expect(hubFolder(name, { hubUrl: 'http://127.0.0.1:1' })).rejects.toMatchObject({
      code: 'NETWORK',
      message: expect.stringContaining('cannot be reached'),
    })
  })
})

test('what is an id, and what an address', () => {
  const url = 'https://huggingface.co/org/m/resolve/main/'
  expect(hubModel('org/m')).toEqual({ repository: 'org/m', url })
  expect(hubModel('hf:org/m', { hubUrl: 'https://mirror.example/', revision: 'refs/pr/1' })?.url).toBe(
    'https://mirror.example/org/m/resolve/refs%2Fpr%2F1/',
  )
  expect(hubModel('org/m/x.gguf')).toEqual({ repository: 'org/m', file: 'x.gguf', url })
  for (const address of ['./org/m', '/org/m', 'org/m/', 'm', 'https://host/m', '../org/m'])
    expect(hubModel(address)).toBeUndefined()
})
