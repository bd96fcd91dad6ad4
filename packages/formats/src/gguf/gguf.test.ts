import { readFile } from 'node:fs/promises'
import { describeModel } from '@awq/models'
import type { QuantSpec } from '@awq/quantize'
import { AwqError, dequantize, type Folder, memoryFolder, readFloat32 } from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import { checkHolds, convert, openPortable, writeModel } from '../convert.ts'
import { floatModel, roundedModel, withByteTokenizer } from '../fixtures/models.ts'
import { memoryWriter } from '../folder/memory-writer.ts'
import type { Parameter, PortableModel } from '../model.ts'
import { mergesOfScores, scoresOfMerges } from './scores.ts'

/** Gemma's graphs in llama.cpp scale by the heads' width, and see all in every sixth layer. */
const changes: Readonly<Record<string, object>> = {
  gemma2: { query_pre_attn_scalar: 12 },
  gemma3: { query_pre_attn_scalar: 12, layer_types: undefined, sliding_window_pattern: 6, _sliding_window_pattern: 6 },
}

/** The fixture with that vocabulary, as llama.cpp takes no other. */
const withTokenizer = async (name: string): Promise<PortableModel> => {
  const given = await floatModel(name)
  const config = { ...given.config, ...changes[name] }
  return withByteTokenizer({ ...given, config, description: describeModel(config) })
}

const written = async (model: PortableModel, warnings: string[] = []): Promise<Folder> => {
  const writer = memoryWriter('out')
  await writeModel(model, 'gguf', writer, { onWarning: (line) => warnings.push(line) })
  return writer.folder()
}

const numbersOf = async (parameter: Parameter | undefined): Promise<Float32Array> => {
  if (!parameter) throw new Error('missing')
  return parameter.kind === 'float' ? await readFloat32(parameter.entry) : dequantize(await parameter.read())
}

/** Of matrices whose rows divide into blocks of 32; the others stay float. */
const blocksOnly = (model: PortableModel, spec: QuantSpec): PortableModel =>
  roundedModel(model, (name) => {
    const parameter = model.parameters.get(name)
    return parameter?.kind === 'float' && (parameter.entry.shape[1] as number) % 32 === 0 ? spec : null
  })

const families: [name: string, warns?: RegExp][] = [
  ['llama'],
  ['mistral', /attend beyond/],
  ['llama-tied-bias-llama3'],
  ['llama-yarn'],
  ['qwen2'],
  ['qwen3'],
  ['gemma'],
  ['gemma2'],
  ['gemma3'],
  ['phi3', /attend beyond/],
  ['phi3-longrope', /by the long factors/],
]

describe.each(families)('%s', (name, warns) => {
  test('is described alike when it is read again, and has the same numbers', async () => {
    const warnings: string[] = []
    await using model = await withTokenizer(name)
    const folder = await written(model, warnings)
    await using back = await openPortable(folder)
    expect(back.format).toBe('gguf')
    for (const line of warnings) expect(line).toMatch(warns ?? /^no warning$/)
    // Mistral's files are Llama's, and its window is not in them.
    const forgetful = name === 'mistral'
    const steps = ({ description }: PortableModel) =>
      JSON.stringify(description.blocks.map(({ steps }) => steps))
        .replace(/"window":\d+/g, forgetful ? '"window":null' : '$&')
        // Divisors are in the file, the rule that they came from is not.
        .replace(/"scaling":\{"type":"(?:llama3|longrope)".*?\}/g, name.endsWith('llama3') ? '' : '$&')
    expect(steps(back)).toBe(steps(model))
    expect(back.description.outer).toEqual({ ...model.description.outer, ...(forgetful ? back.description.outer : {}) })
    expect({ ...back.description.config, modelType: '' }).toEqual({ ...model.description.config, modelType: '' })
    expect([...back.parameters.keys()].sort()).toEqual([...model.parameters.keys()].sort())
    for (const [key, parameter] of model.parameters) {
      const [own, read] = [await numbersOf(parameter), await numbersOf(back.parameters.get(key))]
      // One is added to Gemma's norms, and taken off again.
      const slack = /^gemma/.test(name) && /norm\.weight$/.test(key) ? 2 ** -23 : 0
      for (const [i, value] of own.entries()) expect(Math.abs((read[i] as number) - value)).toBeLessThanOrEqual(slack)
    }
  })
})

const specs: [spec: QuantSpec, warns: RegExp | null][] = [
  [{ bits: 4, groupSize: 32, symmetric: true }, null],
  [{ bits: 4, groupSize: 64, symmetric: false }, /become Q4_1/],
  [{ bits: 3, groupSize: -1, symmetric: false }, /become Q4_1/],
  [{ bits: 2, groupSize: 32, symmetric: true }, null],
  [{ bits: 8, groupSize: 128, symmetric: true }, null],
]

test.each(specs)('%o keeps its integers', async (spec, warns) => {
  await using float = await withTokenizer('llama')
  const model = blocksOnly(float, spec)
  const warnings: string[] = []
  const folder = await written(model, warnings)
  expect(warnings.length).toBe(warns === null ? 0 : 1)
  if (warns) expect(warnings[0]).toMatch(warns)
  await using back = await openPortable(folder)
  for (const [key, parameter] of model.parameters) {
    const found = back.parameters.get(key)
    expect(found?.kind).toBe(parameter.kind)
    expect(await numbersOf(found)).toEqual(await numbersOf(parameter))
  }
  const store = memoryWriter('store')
  await convert(folder, store)
  await using stored = await openPortable(store.folder())
  expect(stored.format).toBe('awq')
  const key = 'model.layers.1.self_attn.k_proj.weight'
  expect(await numbersOf(stored.parameters.get(key))).toEqual(await numbersOf(model.parameters.get(key)))
})

test('a table with zero points in 8 bits becomes float16', async () => {
  await using float = await withTokenizer('llama')
  const model = roundedModel(float, (name) =>
    /embed/.test(name) ? { bits: 8, groupSize: 32, symmetric: false } : null,
  )
  const warnings: string[] = []
  await using back = await openPortable(await written(model, warnings))
  expect(warnings).toEqual([expect.stringMatching(/embed_tokens\.weight becomes float16: 8 bits with zero points/)])
  expect(back.parameters.get('model.embed_tokens.weight')).toMatchObject({ kind: 'float', entry: { dtype: 'F16' } })
})

test('what it cannot hold is said', async () => {
  await using float = await withTokenizer('llama')
  const holds = (model: PortableModel) => checkHolds(model, 'gguf')
  const all = (spec: QuantSpec) => roundedModel(float, () => spec)
  await expect(holds(all({ bits: 4, groupSize: 16, symmetric: true }))).rejects.toThrow(/q_proj.weight: groups of 16/)
  await expect(holds(all({ bits: 4, groupSize: 32, symmetric: true }))).rejects.toThrow(/down_proj.weight: rows of 48/)
  await expect(holds(all({ bits: 8, groupSize: 32, symmetric: false }))).rejects.toThrow(/8 bits with zero points/)
  await using plain = await floatModel('llama')
  await expect(holds(plain)).rejects.toThrow(/tokenizer\.json: .*llama\.cpp has no such tokenizer/)
  await expect(holds({ ...plain, companions: new Map() })).rejects.toThrow(/no tokenizer\.json/)
  await using other = await withTokenizer('mpt')
  await expect(holds(other)).rejects.toThrow(/its family is mpt; in GGUF files, llama, .*phi3 are written/)
  await using window = await withTokenizer('qwen2-window')
  const warnings: string[] = []
  await written(window, warnings)
  expect(warnings).toEqual([expect.stringMatching(/attend beyond/)])
  await using dynamic = await withTokenizer('llama-dynamic')
  await expect(holds(dynamic)).rejects.toThrow(/rope scaling dynamic/)
})

test('rows that lie in another order are read in any piece', async () => {
  await using model = await withTokenizer('llama')
  await using back = await openPortable(await written(model))
  const name = 'model.layers.0.self_attn.q_proj.weight'
  const [own, parameter] = [await numbersOf(model.parameters.get(name)), back.parameters.get(name)]
  if (parameter?.kind !== 'float') throw new Error('not float')
  for (const rows of [
    [0, 1],
    [5, 9],
    [31, 32],
    [0, 32],
    [7, 7],
  ] as const) {
    expect(await readFloat32(parameter.entry, { rows })).toEqual(own.slice(rows[0] * 32, rows[1] * 32))
  }
  await expect(parameter.entry.read({ rows: [4, 33] })).rejects.toThrow(/has no rows 4 to 33/)
})

test('a file is known by its content, and several are not one', async () => {
  await using model = await withTokenizer('llama')
  const file = await (await written(model)).open('model.gguf')
  const bytes = await file.read(0, file.size)
  await using alone = await openPortable(memoryFolder({ weights: bytes }))
  expect(alone.format).toBe('gguf')
  const two = memoryFolder({ 'a.gguf': bytes, 'b.gguf': bytes }, 'two')
  await expect(openPortable(two)).rejects.toThrow(/two has several GGUF files \(a\.gguf, b\.gguf\)/)
  const pieces = memoryFolder({ 'a-00001-of-00002.gguf': bytes }, 'half')
  await expect(openPortable(pieces)).rejects.toThrow(/half has 1 of the 2 files of "a"/)
  const broken = memoryFolder({ 'a.gguf': bytes.slice(0, bytes.length - 100) }, 'broken')
  await expect(openPortable(broken)).rejects.toSatisfy(AwqError.is)
})

test('the vocabulary of SentencePiece comes back with its merges, in their order', async () => {
  const path = new URL('../../../../examples/models/stories260k/tokenizer.json', import.meta.url)
  const { model } = JSON.parse(await readFile(path, 'utf8')) as {
    model: { vocab: Record<string, number>; merges: [string, string][] }
  }
  const tokens = Object.keys(model.vocab)
  const merges = mergesOfScores(tokens, scoresOfMerges(tokens, model.merges), (id) => !/^<.*>$/.test(tokens[id]!))
  expect(merges).toEqual(model.merges)
})
