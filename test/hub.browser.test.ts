/** Models of the hub in Chromium: by their id, from another origin that redirects to a third, with a copy. */
import { type BrowserLoadOptions, loadModel } from '@awq/runtime/browser'
import { cachedModels, removeCached } from '@awq/tensor/browser'
import { expect, test } from 'vitest'
import { commands } from 'vitest/browser'

const name = 'org/stories'
const folder = 'examples/models/stories260k'
const commit = '0123456789abcdef0123456789abcdef01234567'

const write = async (options: BrowserLoadOptions): Promise<string> => {
  await using model = await loadModel(name, { device: 'cpu', accuracy: 'exact', ...options })
  return (await model.generate({ prompt: 'Once upon a time' }, { maxNewTokens: 12 }).result).text
}

test('an id is downloaded once, by ranges, with its hashes, and works offline', async () => {
  const hubUrl = await commands.serveHub({ name, folder })
  const text = await write({ hubUrl })
  expect(text).toMatch(/^, there was a little girl/)
  const { requests } = await commands.endHub(hubUrl)
  expect(requests).toContain(`GET /api/models/${name}/revision/main`)
  expect(requests.some((request) => /^GET \/model\.safetensors bytes=0-\d+$/.test(request))).toBe(true)
  expect(requests.filter((request) => /\/resolve\//.test(request) && !request.includes(commit))).toEqual([])
  expect(requests.filter((request) => !/ bytes=|\/api\//.test(request))).toEqual([])

  const copy = `${hubUrl}/${name}/resolve/main/`
  expect((await cachedModels()).find((model) => model.name === copy)).toMatchObject({ complete: true })
  expect(await write({ hubUrl })).toBe(text)
  await removeCached(copy)
  await expect(write({ hubUrl })).rejects.toMatchObject({ code: 'NETWORK' })
  await removeCached(copy)
})

test('a private one needs its token, which goes nowhere else', async () => {
  const hubUrl = await commands.serveHub({ name, folder, token: 'hf_secret' })
  await expect(write({ hubUrl, cache: false })).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringContaining("a folder beside this page is written './org/stories'"),
  })
  expect(await write({ hubUrl, cache: false, token: 'hf_secret' })).toMatch(/^, there was a little girl/)
  expect((await commands.endHub(hubUrl)).leaked).toEqual([])
})

test('what arrives damaged is not kept', async () => {
  const hubUrl = await commands.serveHub({ name, folder })
  const damaging: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    if (!String(input).endsWith('model.safetensors')) return response
    const bytes = new Uint8Array(await response.arrayBuffer())
    if (bytes.length > 1000) bytes[bytes.length - 7]! ^= 1
    return new Response(bytes, response)
  }
  await expect(write({ hubUrl, fetch: damaging })).rejects.toMatchObject({
    code: 'INVALID_FILE',
    message: expect.stringContaining('model.safetensors arrived damaged'),
  })
  expect(await write({ hubUrl })).toMatch(/^, there was a little girl/)
  await commands.endHub(hubUrl)
  await removeCached(`${hubUrl}/${name}/resolve/main/`)
})
