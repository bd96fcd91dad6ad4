import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { fixtureBytes } from './fixtures/load.ts'
import { openText } from './open-text.ts'
import type { TextDocument } from './types.ts'

const commit = '0123456789abcdef0123456789abcdef01234567'
const parquetCommit = 'fedcba9876543210fedcba9876543210fedcba98'
const jsonl = (...texts: string[]) =>
  new TextEncoder().encode(texts.map((text) => `${JSON.stringify({ text })}\n`).join(''))

/** What the imitated hub holds: data set -> revision -> file -> content. */
const hub: Record<string, Record<string, Record<string, Uint8Array>>> = {
  'Salesforce/wikitext': {
    [commit]: {
      'README.md': jsonl('no data'),
      'wikitext-2-raw-v1/train-00000-of-00001.parquet': fixtureBytes('rows.snappy.parquet'),
      'wikitext-2-v1/train-00000-of-00001.parquet': fixtureBytes('rows.none.parquet'),
    },
  },
  'mit-han-lab/pile-val-backup': {
    [commit]: { 'val.jsonl.zst': Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd) },
    [parquetCommit]: { 'default/validation/0000.parquet': fixtureBytes('rows.zstd.parquet') },
  },
  'org/sharded': { [commit]: { 'train-0.jsonl': jsonl('a', 'b'), 'train-1.jsonl': jsonl('c') } },
  'org/images': { [commit]: { 'cat.png': Uint8Array.of(1), 'README.md': jsonl('x') } },
}

let requests: string[] = []
const server = createServer((request, response) => {
  const path = decodeURIComponent(new URL(request.url ?? '', 'http://hub').pathname)
  requests.push(path)
  const answer = (status: number, body: Uint8Array | string, headers: Record<string, string> = {}) => {
    response
      .writeHead(status, { 'x-repo-commit': commit, ...headers })
      .end(request.method === 'HEAD' ? undefined : body)
  }
  const json = (value: unknown) => answer(200, JSON.stringify(value), { 'content-type': 'application/json' })
  const missing = () => answer(404, '{"error":"not found"}', { 'content-type': 'application/json' })
  const [, api, name = '', action, rest = ''] =
    /^\/(api\/)?datasets\/([^/]+\/[^/]+)(?:\/(revision|tree|resolve))?\/?(.*)$/.exec(path) ?? []
  const revisions = hub[name]
  if (!revisions) return missing()
  const resolve = (text: string) =>
    text.startsWith('refs/convert/parquet')
      ? parquetCommit
      : text.startsWith('main') || text === ''
        ? commit
        : text.slice(0, 40)
  const sha = resolve(rest)
  const files = revisions[sha]
  if (!files) return missing()
  if (api && action === 'tree') {
    return json(
      Object.entries(files).map(([file, content]) => ({
        type: 'file',
        path: file,
        size: content.length,
        oid: gitHash(content),
      })),
    )
  }
  if (api)
    return json({
      _id: '1',
      id: name,
      sha,
      private: false,
      gated: false,
      downloads: 0,
      likes: 0,
      lastModified: new Date(0),
    })
  const content = files[rest.slice(41)]
  if (!content) return missing()
  const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '')
  const start = Number(range?.[1] ?? 0)
  const end = range?.[2] ? Math.min(Number(range[2]) + 1, content.length) : content.length
  const headers = { etag: `"${gitHash(content)}"`, 'content-length': String(end - start), 'accept-ranges': 'bytes' }
  return range
    ? answer(206, content.subarray(start, end), {
        ...headers,
        'content-range': `bytes ${start}-${end - 1}/${content.length}`,
      })
    : answer(200, content, headers)
})
const gitHash = (content: Uint8Array) =>
  createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex')

let folder = ''
let environment: Record<string, string> = {}
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'awq-text-'))
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  environment = { HF_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, HF_HOME: folder }
})
afterAll(async () => {
  server.close()
  server.closeAllConnections()
  await rm(folder, { recursive: true })
})
beforeEach(() => {
  requests = []
})

const all = async (texts: AsyncIterable<TextDocument>) => {
  const list: TextDocument[] = []
  for await (const text of texts) list.push(text)
  return list
}
const rows = Array.from({ length: 50 }, (_, i) => `Row ${i}: ${'some text, ümläut. '.repeat(i % 5)}`)

describe('openText of a file', () => {
  it('reads it', async () => {
    const path = join(folder, 'lines.jsonl')
    await writeFile(path, jsonl('a', 'b'))
    expect(await all(await openText(path))).toEqual(['a', 'b'])
  })

  it('names the file in errors, at once where it can', async () => {
    await writeFile(join(folder, 'empty.txt'), '')
    await expect(openText(join(folder, 'empty.txt'))).rejects.toThrow(/empty\.txt is empty/)
    await expect(openText(folder)).rejects.toThrow(/is a folder; give a file/)
    await expect(openText('data/none.jsonl')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: /no file "data\/none\.jsonl".*wikitext or pileval/,
    })
    await expect(openText('nonsense')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(openText('constructor')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('openText of a data set', () => {
  it('reads wikitext as running text, from the raw training rows', async () => {
    const texts = await all(await openText('wikitext', { environment }))
    expect(texts).toEqual([
      rows
        .filter((_, i) => i !== 7 || true)
        .map((row, i) => (i === 7 ? '' : row))
        .join('\n\n'),
    ])
    expect(
      requests.filter((path) => path.includes('/resolve/')).every((path) => path.includes('wikitext-2-raw-v1/train')),
    ).toBe(true)
  })

  it('downloads once, and works without the network afterwards', async () => {
    const first = await all(await openText('org/sharded', { environment }))
    expect(first).toEqual(['a', 'b', 'c'])
    requests = []
    expect(await all(await openText('org/sharded', { environment }))).toEqual(first)
    expect(requests.some((path) => path.includes('/resolve/'))).toBe(false)
    const offline = { environment: { ...environment, HF_ENDPOINT: 'http://127.0.0.1:9', HF_HUB_OFFLINE: '1' } }
    expect(await all(await openText('org/sharded', offline))).toEqual(first)
  })

  it('fetches a further file only when reading gets there', async () => {
    const fresh = { environment: { ...environment, HF_HOME: join(folder, 'fresh') } }
    const texts = await openText('org/sharded', fresh)
    for await (const text of texts) {
      expect(text).toBe('a')
      break
    }
    expect(requests.some((path) => path.endsWith('train-0.jsonl'))).toBe(true)
    expect(requests.some((path) => path.endsWith('train-1.jsonl'))).toBe(false)
  })

  it("takes the hub's parquet conversion of formats it cannot read", async () => {
    expect(await all(await openText('pileval', { environment }))).toEqual(rows.filter((_, i) => i !== 7))
  })

  it('takes a part', async () => {
    const texts = await all(await openText('Salesforce/wikitext:wikitext-2-v1', { environment }))
    expect(texts).toEqual(rows.filter((_, i) => i !== 7))
  })

  it('says what is wrong', async () => {
    await expect(openText('org/none', { environment })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(openText('org/images', { environment })).rejects.toThrow(
      /org\/images has no parquet, JSONL, .*it has cat\.png, README\.md/,
    )
    await expect(openText('Salesforce/wikitext:none', { environment })).rejects.toThrow(/under none/)
  })
})
