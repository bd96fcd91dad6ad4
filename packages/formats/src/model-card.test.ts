import type { QuantSpec } from '@awq/quantize'
import { describe, expect, test } from 'vitest'
import { openPortable, writeModel } from './convert.ts'
import { roundedModel, withByteTokenizer } from './fixtures/models.ts'
import { wideModel } from './fixtures/wide-model.ts'
import { memoryWriter } from './folder/memory-writer.ts'
import { matrixKinds } from './matrix-kinds.ts'
import { isTable } from './matrix-names.ts'
import { CARD_FILE } from './model-card.ts'

const four: QuantSpec = { bits: 4, groupSize: 32, symmetric: true }
const eight: QuantSpec = { bits: 8, groupSize: 32, symmetric: true }

describe('the card says how matrices are stored', () => {
  test.each([
    ['awq', '8 bits, group 32, symmetric', '4 bits, group 32, symmetric'],
    ['autoawq', 'F16', '4 bits, group 32, with zero points'],
    ['gptq', 'F16', '4 bits, group 32, symmetric'],
    ['compressed-tensors', 'F16', '4 bits, group 32, symmetric'],
    ['gguf', '8 bits, group 32, symmetric', '4 bits, group 32, symmetric'],
  ])('%s: tables %s', async (format, table, linear) => {
    const float = withByteTokenizer(await wideModel())
    const model = roundedModel(float, (name) => (isTable(float, name) ? eight : four))
    const into = memoryWriter('out')
    await writeModel(model, format, into)
    const card = await into.folder().readText(CARD_FILE)
    expect(card).toContain(`| \`model.embed_tokens\` | 1 | ${table} |`)
    expect(card).toMatch(new RegExp(`tags: \\[.*${format}.*quantized\\]`))
    expect(card).toMatch(/SHA-256 are in `(quantization|provenance)\.json`; `awq inspect OUT` compares/)
    await using read = await openPortable(into.folder())
    const kinds = new Map(matrixKinds(read).map(({ name, form }) => [name, form]))
    expect(kinds.get('model.embed_tokens')).toBe(table)
    expect(kinds.get('mlp.up_proj')).toBe(linear)
    expect(card).toContain(`| \`mlp.up_proj\` | 2 | ${kinds.get('mlp.up_proj')} |`)
  })
})
