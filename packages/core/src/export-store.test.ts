import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openPortable, verifyFiles } from '@awq/formats'
import { createEngine, type Engine } from '@awq/ort'
import { openFolder } from '@awq/tensor/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkFormatNames, isStoreAlone } from './export-store.ts'
import { withTokenizer } from './fixtures/scaled-logits.ts'
import { type ProgressEvent, type QuantizeOptions, quantize } from './index.ts'

const fixture = (name: string) => fileURLToPath(new URL(`../../../test/fixtures/models/${name}`, import.meta.url))
const calibration = ['a quick brown fox jumps over a lazy dog '.repeat(40)]

let engine: Engine
let scratch: string
let count = 0
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
  scratch = await mkdtemp(join(tmpdir(), 'awq-exports-'))
})
afterAll(async () => {
  await engine.dispose()
  await rm(scratch, { recursive: true, force: true })
})
const newOutput = () => join(scratch, `out ${count++}`)

const digest = async (folder: string): Promise<Record<string, string>> => {
  const hashes: Record<string, string> = {}
  for (const file of (await readdir(folder, { recursive: true })).sort())
    if ((await stat(join(folder, file))).isFile())
      hashes[file] = createHash('sha256')
        .update(await readFile(join(folder, file)))
        .digest('hex')
  return hashes
}

const run = async (name: string, options: Partial<QuantizeOptions> & { readonly output: string }) =>
  await quantize({
    engine,
    model: withTokenizer(await openFolder(fixture(name))),
    calibration,
    samples: 4,
    length: 32,
    groupSize: 16,
    ...options,
  })

describe('names of formats', () => {
  test('that none has, that are only read, that come twice, and none at all are refused', () => {
    expect(() => checkFormatNames([])).toThrow(/at least one/)
    expect(() => checkFormatNames(['awq', 'gguff'])).toThrow(/no format "gguff"; choose from awq, autoawq/)
    expect(() => checkFormatNames(['llm-awq'])).toThrow(/llm-awq is only read/)
    expect(() => checkFormatNames(['gptq', 'awq', 'gptq'])).toThrow(/gptq is asked for twice/)
    checkFormatNames(['awq', 'gptq'])
  })

  test('our own store alone is no export', () => {
    expect(isStoreAlone(['awq'])).toBe(true)
    expect(isStoreAlone(['awq', 'gptq'])).toBe(false)
    expect(isStoreAlone(['gptq'])).toBe(false)
  })
})

describe('quantize in other formats', () => {
  test('one goes to the output, several to a folder each, all of the same integers', async () => {
    const [one, several] = [newOutput(), newOutput()]
    const { outputBytes } = await run('llama', { output: one, formats: ['gptq'] })
    expect(await readdir(one)).toContain('quantize_config.json')
    const sizes = await Promise.all((await readdir(one)).map(async (file) => (await stat(join(one, file))).size))
    expect(outputBytes).toBe(sizes.reduce((sum, size) => sum + size, 0))
    await run('llama', { output: several, formats: ['awq', 'gptq', 'compressed-tensors'] })
    expect((await readdir(several)).sort()).toEqual(['awq', 'compressed-tensors', 'gptq'])
    expect(await digest(join(several, 'gptq'))).toEqual(await digest(one))
    const codesOf = async (folder: string) => {
      expect((await verifyFiles(await openFolder(folder)))?.damaged).toEqual([])
      await using model = await openPortable(await openFolder(folder))
      const found = model.parameters.get('model.layers.0.mlp.up_proj.weight')!
      expect(model.provenance.method).toBe('awq-gptq')
      return found.kind === 'quantized' ? (await found.read()).codes : expect.unreachable('it is quantized')
    }
    const codes = await codesOf(join(several, 'awq'))
    expect(await codesOf(one)).toEqual(codes)
    expect(await codesOf(join(several, 'compressed-tensors'))).toEqual(codes)
  })

  test('a format that cannot hold the model is told before the work, and nothing is written', async () => {
    const output = newOutput()
    const layers: number[] = []
    const asked = run('llama', {
      output,
      formats: ['compressed-tensors', 'autoawq'],
      bits: 3,
      onProgress: (event) => {
        if (event.type === 'layer') layers.push(event.layer)
      },
    })
    await expect(asked).rejects.toThrow(/autoawq cannot hold .*_proj.weight has 3 bits, and AutoAWQ 4/)
    expect(layers).toEqual([])
    expect(existsSync(output)).toBe(false)
    await expect(run('llama', { output, formats: ['gguf'], groupSize: 16 })).rejects.toThrow(/groups of 16 are no mult/)
  })

  test('scales that nothing absorbs are left out where a format has no place for them', async () => {
    const [own, other] = [newOutput(), newOutput()]
    await run('starcoder2', { output: own })
    await run('starcoder2', { output: other, formats: ['gptq'] })
    const vectors = async (path: string) => {
      await using model = await openPortable(await openFolder(path))
      const optional = model.description.blocks[0]!.parameters.filter((spec) => spec.optional)
      return optional.map(({ name }) => model.parameters.has(model.description.parameter(0, name)))
    }
    expect(await vectors(own)).toContain(true)
    expect(await vectors(other)).not.toContain(true)
    const gguf = run('starcoder2', { output: newOutput(), formats: ['gguf'] })
    await expect(gguf).rejects.toThrow(/its family is starcoder2/)
  })
})

describe('an interrupted run in other formats', () => {
  const stopAt = (matches: (event: ProgressEvent) => boolean) => {
    const controller = new AbortController()
    const onProgress = (event: ProgressEvent) => {
      if (matches(event)) controller.abort(new Error('stop here'))
    }
    return { signal: controller.signal, onProgress }
  }
  const formats = ['gptq', 'awq']

  test.each<[string, (event: ProgressEvent) => boolean]>([
    ['between blocks', (event) => event.type === 'layer' && event.layer === 0],
    ['before the first export', (event) => event.type === 'stage' && event.stage === 'export'],
    [
      'in the middle of an export',
      (event) => event.type === 'progress' && event.stage === 'export' && event.completed === 3,
    ],
    ['in the second export', (event) => event.type === 'stage' && event.message === 'awq'],
  ])('%s leaves nothing to see, and goes on to the same bytes', async (_, matches) => {
    const [whole, output] = [newOutput(), newOutput()]
    await run('llama', { output: whole, formats })
    await expect(run('llama', { output, formats, ...stopAt(matches) })).rejects.toThrow('stop here')
    expect(await readdir(output)).toEqual(['.awq-partial'])
    const result = await run('llama', { output, formats, resume: true })
    expect(result.resumedLayers).toBeGreaterThan(0)
    expect((await readdir(output)).sort()).toEqual(['awq', 'gptq'])
    expect(await digest(output)).toEqual(await digest(whole))
  })

  test('may go on in another format', async () => {
    const [whole, output] = [newOutput(), newOutput()]
    await run('llama', { output: whole, formats: ['compressed-tensors'] })
    const stopped = run('llama', {
      output,
      formats,
      ...stopAt((event) => event.type === 'stage' && event.stage === 'export'),
    })
    await expect(stopped).rejects.toThrow('stop here')
    await run('llama', { output, formats: ['compressed-tensors'], resume: true })
    expect(await digest(output)).toEqual(await digest(whole))
  })

  test('that was killed while files got their names goes on as well', async () => {
    const [whole, output] = [newOutput(), newOutput()]
    await run('llama', { output: whole, formats: ['gptq'] })
    // What a commit leaves that is killed behind its first file.
    const stopped = run('llama', {
      output,
      formats: ['gptq'],
      ...stopAt((event) => event.type === 'stage' && event.stage === 'export'),
    })
    await expect(stopped).rejects.toThrow('stop here')
    const exports = join(output, '.awq-partial', 'exports', 'gptq')
    await rm(exports, { recursive: true, force: true })
    await cp(whole, exports, { recursive: true })
    const names = [...(await readdir(whole)).filter((name) => name !== 'provenance.json'), 'provenance.json']
    await writeFile(join(output, '.awq-partial', 'commit.json'), JSON.stringify({ from: 'exports/gptq', names }))
    await rename(join(exports, names[0]!), join(output, names[0]!))
    await expect(openPortable(await openFolder(output))).rejects.toThrow(/holds half of a model/)
    await run('llama', { output, formats: ['gptq'], resume: true })
    expect(await digest(output)).toEqual(await digest(whole))
  })
})
