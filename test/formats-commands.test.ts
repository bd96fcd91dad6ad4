/** The commands for formats, as typed, with the real libraries and imitations of the hub. */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryWriter, openPortable, writeModel } from '@awq/formats'
import type { QuantSpec } from '@awq/quantize'
import { openFolder } from '@awq/tensor/node'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { fakeContext } from '../packages/cli/src/fixtures/fakes.ts'
import { main } from '../packages/cli/src/main.ts'
import { nodeLibraries } from '../packages/cli/src/node-libraries.ts'
import { roundedModel, withByteTokenizer } from '../packages/formats/src/fixtures/models.ts'
import { wideModel } from '../packages/formats/src/fixtures/wide-model.ts'
import { imitateHub } from '../packages/tensor/src/fixtures/hub-imitation.ts'
import { imitatePushes } from '../packages/tensor/src/fixtures/push-imitation.ts'

const four: QuantSpec = { bits: 4, groupSize: 32, symmetric: true }

let scratch: string
let store: string
const closing: (() => void)[] = []
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'awq-commands-'))
  store = join(scratch, 'store')
  await mkdir(store)
  const files = await filesOf('awq')
  for (const [file, bytes] of Object.entries(files)) await writeFile(join(store, file), bytes)
})
afterEach(() => {
  vi.unstubAllEnvs()
  for (const close of closing.splice(0)) close()
})
afterAll(() => rm(scratch, { recursive: true, force: true }))

/** A small quantized model in a format: its files. */
const filesOf = async (format: string, spec = four): Promise<Record<string, Uint8Array>> => {
  await using float = await wideModel()
  const writer = memoryWriter('made')
  const model = roundedModel(withByteTokenizer(float), (name) => (/embed|lm_head/.test(name) ? null : spec))
  await writeModel(model, format, writer)
  const folder = writer.folder()
  const files: Record<string, Uint8Array> = {}
  for (const file of await folder.list()) {
    const source = await folder.open(file)
    files[file] = await source.read(0, source.size)
  }
  return files
}

const awq = async (...args: string[]) => {
  const fake = fakeContext(nodeLibraries)
  return fake.outcome(await main(args, fake.context))
}
let count = 0
const newOutput = () => join(scratch, `out ${count++}`)

describe('a model of another program', () => {
  test('is named by awq run and eval, with the command that converts it', async () => {
    const [made, text] = [newOutput(), join(scratch, 'text.txt')]
    await writeFile(text, 'some text')
    expect((await awq('export', store, '--format', 'autoawq', '-o', made)).code).toBe(0)
    for (const args of [
      ['run', made, '--prompt', 'x'],
      ['eval', made, '--text', text],
    ]) {
      const { code, stderr } = await awq(...args)
      expect(code).toBe(1)
      expect(stderr).toBe(
        `awq: ${made} is in the format autoawq (4 bits in the layout of AutoAWQ (GEMM), for transformers, vLLM, SGLang and ` +
          `TGI); convert it first: awq convert '${made}' -o OUT\n`,
      )
    }
  })

  test('that is only written says where to go instead', async () => {
    const made = newOutput()
    expect((await awq('export', store, '--format', 'genai', '-o', made)).stderr).not.toMatch(/awq: (?!warning)/)
    const { code, stderr } = await awq('run', made, '--prompt', 'x')
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/is in the format genai .*; take the model it was made from/),
    ])
  })

  test('GGUF is named too, as a file', async () => {
    const file = join(scratch, 'any name')
    await writeFile(file, 'GGUF but no more')
    const { code, stderr } = await awq('run', file, '--prompt', 'x')
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/any name is in the format gguf .*awq convert '.*any name' -o/),
    ])
  })

  test('half of one is refused', async () => {
    const made = newOutput()
    await mkdir(join(made, '.awq-writing'), { recursive: true })
    await writeFile(join(made, '.awq-writing', 'commit.json'), '{"names":["README.md","config.json"]}')
    await writeFile(join(made, 'README.md'), '')
    for (const args of [
      ['run', made, '--prompt', 'x'],
      ['inspect', made],
      ['convert', made, '-o', newOutput()],
    ])
      expect((await awq(...args)).stderr).toMatch(/holds half of a model: its command was stopped; repeat/)
  })
})

describe('export and convert', () => {
  test('--accuracy is for graphs, decides their products, and is on the card', async () => {
    const [usual, fast, exact] = [newOutput(), newOutput(), newOutput()]
    const to = (path: string, ...more: string[]) => awq('export', store, '--format', 'genai', '-o', path, ...more)
    await to(usual)
    await to(fast, '--accuracy', 'fast')
    expect((await to(exact, '--accuracy', 'exact')).code).toBe(0)
    const graph = (path: string) => readFile(join(path, 'model.onnx'))
    expect(await graph(fast)).toEqual(await graph(usual))
    expect(await graph(exact)).not.toEqual(await graph(usual))
    expect(await readFile(join(exact, 'README.md'), 'utf8')).toContain('--format genai --accuracy exact')
    const none = await awq('export', store, '--format', 'autoawq,gptq', '-o', newOutput(), '--accuracy', 'exact')
    expect([none.code, none.stderr]).toEqual([2, expect.stringMatching(/--accuracy is for transformersjs and genai/)])
    const converted = await awq('convert', store, '--format', 'gptq', '-o', newOutput(), '--accuracy', 'exact')
    expect(converted.code).toBe(2)
  })

  test('of several formats, those that cannot hold the model are named, and those that can', async () => {
    const store16 = newOutput()
    await mkdir(store16)
    for (const [file, bytes] of Object.entries(await filesOf('awq', { ...four, groupSize: 16 })))
      await writeFile(join(store16, file), bytes)
    const output = newOutput()
    const { code, stderr } = await awq('export', store16, '--format', 'gguf,gptq,autoawq-gemv,genai', '-o', output)
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /gguf cannot hold .*blocks of 32.*autoawq-gemv cannot hold .*no groups of 16.*Nothing was written; .* gptq, genai can/,
    )
    expect(existsSync(output)).toBe(false)
  })

  test('files that are not those that were written are refused, unless nobody looks', async () => {
    const damaged = newOutput()
    await mkdir(damaged)
    for (const file of await readdir(store)) await writeFile(join(damaged, file), await readFile(join(store, file)))
    const weights = await readFile(join(damaged, 'model.safetensors'))
    weights[weights.length - 1]! ^= 1
    await writeFile(join(damaged, 'model.safetensors'), weights)
    for (const command of ['export', 'convert']) {
      const output = newOutput()
      const { code, stderr } = await awq(command, damaged, '--format', 'gptq', '-o', output)
      expect([code, stderr]).toEqual([1, expect.stringMatching(/model\.safetensors is damaged or was changed/)])
      expect(existsSync(output)).toBe(false)
    }
    expect((await awq('convert', damaged, '-o', newOutput(), '--skip-hashes')).code).toBe(0)
  })
})

describe('models of a hub', () => {
  const hub = async (name: string, files: Record<string, Uint8Array>) => {
    const imitation = await imitateHub({ name, files })
    closing.push(imitation.close)
    vi.stubEnv('HF_ENDPOINT', imitation.url)
    vi.stubEnv('HF_TOKEN', '')
    return ['--cache-dir', join(scratch, `cache ${count++}`)]
  }
  const sameAsStore = async (path: string) => {
    await using one = await openPortable(await openFolder(store))
    await using other = await openPortable(await openFolder(path))
    for (const [name, parameter] of one.parameters) {
      const found = other.parameters.get(name)!
      if (parameter.kind === 'quantized' && found.kind === 'quantized')
        expect((await found.read()).codes).toEqual((await parameter.read()).codes)
      else expect(found.kind).toBe(parameter.kind)
    }
    return other.provenance
  }

  test('with an older quantize_config.json beside config.json', async () => {
    const { 'provenance.json': _, 'config.json': config, ...files } = await filesOf('gptq')
    const { quantization_config, ...plain } = JSON.parse(new TextDecoder().decode(config))
    expect(quantization_config.bits).toBe(4)
    const cache = await hub('org/old-gptq', {
      ...files,
      'config.json': new TextEncoder().encode(JSON.stringify(plain)),
    })
    const output = newOutput()
    const { code, stderr, stdout } = await awq('convert', 'org/old-gptq', '-o', output, ...cache)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/awq from gptq/)
    const { source } = await sameAsStore(output)
    expect(source).toMatchObject({ name: 'old-gptq', repository: 'org/old-gptq', modelType: 'llama' })
    const refused = await awq('run', 'org/old-gptq', '--prompt', 'x', ...cache)
    expect(refused.stderr).toMatch(/org\/old-gptq is in the format gptq .*: awq convert org\/old-gptq -o OUT/)
  })

  test('that are GGUF files alone, or one of them', async () => {
    const { 'model.gguf': model } = await filesOf('gguf')
    const cache = await hub('org/some-gguf', { 'README.md': new Uint8Array(3), 'tiny.Q4_0.gguf': model! })
    const output = newOutput()
    expect(await awq('convert', 'org/some-gguf', '-o', output, ...cache)).toMatchObject({ code: 0, stderr: '' })
    expect((await sameAsStore(output)).commands).toEqual(['awq convert org/some-gguf -o OUT'])
    const more = await hub('org/several', { 'tiny.Q4_0.gguf': model!, 'tiny.F16.gguf': model! })
    const several = await awq('inspect', 'org/several', ...more)
    expect([several.code, several.stderr]).toEqual([
      1,
      expect.stringMatching(
        /several GGUF files.*name one of them, as ORG\/NAME\/FILE; it has "tiny.Q4_0.gguf", "tiny.F16/,
      ),
    ])
    const named = await awq('inspect', 'org/several/tiny.Q4_0.gguf', ...more)
    expect([named.code, named.stderr, named.stdout]).toEqual([0, '', expect.stringMatching(/gguf/)])
    const run = await awq('run', 'org/several/tiny.Q4_0.gguf', '--prompt', 'x', ...more)
    expect(run.stderr).toMatch(/is in the format gguf .*: awq convert org\/several\/tiny.Q4_0.gguf -o OUT/)
  })
})

describe('awq push', () => {
  const token = 'hf_right'
  const start = async (options: Partial<Parameters<typeof imitatePushes>[0]> = {}) => {
    const imitation = await imitatePushes({ token, ...options })
    closing.push(imitation.close)
    vi.stubEnv('HF_ENDPOINT', imitation.url)
    vi.stubEnv('HF_TOKEN', token)
    return imitation
  }

  test('makes a private repository when asked to, and says where the model is', async () => {
    const hub = await start()
    const { code, stdout, stderr } = await awq('push', store, 'me/tiny-4bit', '--private', '--message', 'first')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(new RegExp(`^${hub.url}/me/tiny-4bit/tree/main\\n  \\d+ files, .* in `))
    expect(hub.made).toEqual([
      expect.objectContaining({ organization: 'me', name: 'tiny-4bit', visibility: 'private' }),
    ])
    expect([...hub.repositories.get('me/tiny-4bit')!.keys()].sort()).toEqual((await readdir(store)).sort())
    expect(hub.messages).toEqual(['first'])
  })

  test('adds to a repository that is there, whatever it is', async () => {
    const hub = await start()
    hub.repositories.set('me/theirs', new Map([['notes.md', new Uint8Array(1)]]))
    const { code, stderr } = await awq('push', store, 'me/theirs', '--private')
    expect([code, stderr]).toEqual([0, expect.stringMatching(/warning: me\/theirs was there already.*--private/)])
    expect([...hub.repositories.get('me/theirs')!.keys()]).toEqual(expect.arrayContaining(['notes.md', 'config.json']))
  })

  test('of a refused or a missing token says what to do, and sends nothing', async () => {
    const hub = await start()
    vi.stubEnv('HF_TOKEN', 'hf_wrong')
    const refused = await awq('push', store, 'me/tiny')
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/me\/tiny: http.* does not accept the access token \(HF_TOKEN\)/),
    ])
    expect(refused.stderr).not.toContain('hf_wrong')
    vi.stubEnv('HF_TOKEN', '')
    vi.stubEnv('HF_HOME', scratch)
    expect((await awq('push', store, 'me/tiny')).stderr).toMatch(/needs an access token.*set HF_TOKEN/)
    expect(hub.repositories.size).toBe(0)
    expect(hub.store.size).toBe(0)
  })

  test('that is interrupted commits nothing; repeated, it sends what was missing', async () => {
    const fake = fakeContext(nodeLibraries)
    let puts = 0
    const hub = await start({
      intercept: (request) => {
        if (request.method !== 'PUT' || ++puts > 1) return false
        fake.interrupt()
        return true
      },
    })
    const { code, stderr } = fake.outcome(await main(['push', store, 'me/tiny'], fake.context))
    expect([code, stderr]).toEqual([130, expect.stringContaining('interrupted')])
    expect(hub.repositories.get('me/tiny')?.size).toBe(0)
    expect((await awq('push', store, 'me/tiny')).code).toBe(0)
    expect(hub.repositories.get('me/tiny')?.size).toBe((await readdir(store)).length)
    hub.requests.length = 0
    expect((await awq('push', store, 'me/tiny')).code).toBe(0)
    expect(hub.requests.filter((request) => request.startsWith('PUT'))).toEqual([])
  })

  test('sends no damaged file, nothing that is no folder, and no half of a model', async () => {
    const hub = await start()
    const damaged = newOutput()
    await mkdir(damaged)
    for (const file of await readdir(store)) await writeFile(join(damaged, file), await readFile(join(store, file)))
    await writeFile(join(damaged, 'config.json'), '{}')
    expect((await awq('push', damaged, 'me/tiny')).stderr).toMatch(/config\.json is damaged or was changed/)
    expect((await awq('push', join(store, 'model.safetensors'), 'me/tiny')).stderr).toMatch(/give the folder/)
    expect((await awq('push', join(scratch, 'nowhere'), 'me/tiny')).stderr).toMatch(/does not exist/)
    await mkdir(join(damaged, '.awq-writing'))
    await writeFile(join(damaged, '.awq-writing', 'commit.json'), '{"names":["README.md","zzz"]}')
    expect((await awq('push', damaged, 'me/tiny')).stderr).toMatch(/half of a model/)
    expect(hub.requests).toEqual([])
  })
})
