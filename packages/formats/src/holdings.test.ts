import { readFileSync } from 'node:fs'
import { createEngine } from '@awq/ort'
import type { QuantSpec } from '@awq/quantize'
import { modelLogits } from '@awq/runtime'
import { AwqError, dequantize } from '@awq/tensor'
import { afterAll, describe, expect, test } from 'vitest'
import { checkHolds, openPortable, writableFormat, writeModel } from './convert.ts'
import { openExported } from './fixtures/exported.ts'
import { closeModels, columns, holders, holdingsOf, mixed, quantizedModel } from './fixtures/holdings.ts'
import { memoryWriter } from './folder/memory-writer.ts'
import { matrixKinds } from './matrix-kinds.ts'
import type { PortableModel } from './model.ts'

const engine = await createEngine({ threads: 1 })
afterAll(async () => {
  await closeModels()
  await engine.dispose()
})

const docs = readFileSync(new URL('../../../docs/formats.md', import.meta.url), 'utf8').split('\n')

describe('docs/formats.md says what each format can hold', () => {
  test('in these columns', () => {
    expect(docs).toContain(`| \`--format\` | ${columns.join(' | ')} |`)
  })
  test.each(holders)('%s', async (format) => {
    expect(docs).toContain(`| \`${format}\` | ${(await holdingsOf(format)).join(' | ')} |`)
  })
})

const spec = (bits: QuantSpec['bits'], symmetric = true, groupSize = 32): QuantSpec => ({ bits, groupSize, symmetric })

const models: [what: string, specOf: (name: string) => QuantSpec, refusal: RegExp][] = [
  ['3 bits', () => spec(3), /_proj\.weight has 3 bits, and AutoAWQ 4/],
  ['3 bits with zero points', () => spec(3, false), /_proj\.weight has 3 bits, and AutoAWQ 4/],
  ['3 and 8 bits', mixed(spec(8), spec(3)), /_proj\.weight has [38] bits, and AutoAWQ 4/],
  [
    '2, 3, 4 and 8 bits with zero points',
    (name) => spec(/q_proj/.test(name) ? 2 : /k_proj/.test(name) ? 3 : /down/.test(name) ? 8 : 4, false),
    /(down_proj\.weight: 8 bits with zero points; GGUF|_proj\.weight has \d bits, and AutoAWQ 4|version 1 of GPTQ)/,
  ],
  ['4 bits in groups of 32 and 64', mixed(spec(4, true, 64), spec(4)), /groups of (32|64), others of (32|64): AutoAWQ/],
  [
    'groups of 16',
    () => spec(4, true, 16),
    /groups of 16 are no multiple of GGUF's blocks of 32|GEMV has no groups of 16/,
  ],
]

/** The numbers of every matrix, whatever bits it is stored in. */
const numbersOf = async ({ parameters }: PortableModel) => {
  const numbers = new Map<string, Float32Array>()
  for (const [name, found] of parameters)
    if (found.kind === 'quantized') numbers.set(name, dequantize(await found.read()))
  return numbers
}

describe.each(models)('%s', (_, specOf, refusal) => {
  test.each(holders)('through %s', async (format) => {
    const model = await quantizedModel(specOf)
    const problems = await writableFormat(format).problems(model)
    const into = memoryWriter('out')
    if (problems.length > 0) {
      await expect(writeModel(model, format, into)).rejects.toSatisfy(AwqError.is)
      await expect(checkHolds(model, format)).rejects.toThrow(refusal)
      return
    }
    await writeModel(model, format, into)
    if (format === 'transformersjs' || format === 'genai') return await computesTheSame(model, format)
    await using read = await openPortable(into.folder())
    const [expected, found] = [await numbersOf(model), await numbersOf(read)]
    expect([...found.keys()].sort()).toEqual([...expected.keys()].sort())
    for (const [name, values] of expected) expect(found.get(name), name).toEqual(values)
    // What has room for all bits keeps them.
    if (format !== 'gguf' && !format.startsWith('autoawq')) expect(formsOf(read)).toEqual(formsOf(model))
  })
})

const formsOf = (model: PortableModel) => matrixKinds(model).map(({ name, form }) => [name, form])

/** Logits of the graph are those of our own runtime. */
const computesTheSame = async (model: PortableModel, format: string): Promise<void> => {
  const store = memoryWriter('store')
  await writeModel(model, 'awq', store)
  const ids = [5, 9, 17, 3]
  const [expected] = await modelLogits(store.folder(), ids, { engine })
  const port =
    format === 'genai' ? ({ padding: 'right', logits: 'all' } as const) : ({ padding: 'left', logits: 'kept' } as const)
  await using decoder = await openExported(engine, model, { port, experts: format === 'genai' ? 'chosen' : 'spare' })
  const [rows] = await decoder.run([ids], [ids.map(() => 1)])
  for (const [j, value] of rows!.at(-1)!.entries()) expect(value).toBeCloseTo(expected![j]!, 3)
}
