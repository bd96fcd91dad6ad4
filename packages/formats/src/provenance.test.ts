import { PROVENANCE_FILE } from '@awq/quantize'
import { type Folder, memoryFolder } from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import { openPortable, writeModel } from './convert.ts'
import { floatModel, roundedModel } from './fixtures/models.ts'
import { memoryWriter } from './folder/memory-writer.ts'
import { verifyFiles } from './provenance.ts'

const contents = async (folder: Folder): Promise<Record<string, Uint8Array>> => {
  const files: Record<string, Uint8Array> = {}
  for (const file of await folder.list()) {
    const source = await folder.open(file)
    files[file] = await source.read(0, source.size)
  }
  return files
}

/** A written float copy with a provenance of its own. */
const written = async () => {
  await using model = await floatModel('llama')
  const evaluation = { text: 'a | b\n# c', tokens: 10, window: 5, perplexity: 9.5, kl: 0.25 }
  const provenance = { ...model.provenance, source: { name: '](javascript:1) <b>' }, commands: ['awq one'], evaluation }
  const output = memoryWriter('out')
  await writeModel({ ...model, provenance }, 'float', output, { command: 'awq two\n```\n# not a heading' })
  return { folder: output.folder(), files: await contents(output.folder()) }
}

describe('provenance', () => {
  test('is written beside other formats, read back, and stands in the card as plain text', async () => {
    const { folder, files } = await written()
    await using again = await openPortable(folder)
    expect(again.provenance).toMatchObject({
      commands: ['awq one', 'awq two\n```\n# not a heading'],
      evaluation: { kl: 0.25 },
    })
    const card = new TextDecoder().decode(files['README.md'])
    expect(card).toContain('awq one\nawq two')
    expect(card).toContain('KL divergence from the float model, nats per token | 0.25000')
    expect(card).not.toMatch(/^# (not|c)|<b>|[^\\]\]\(javascript/m)
  })

  test('tells damaged, changed and missing files from those that are as written; the card may be edited', async () => {
    const { folder, files } = await written()
    expect((await verifyFiles(folder))?.damaged).toEqual([])
    const { 'tokenizer.json': _, ...others } = files
    const weights = files['model.safetensors']!.slice()
    weights[weights.length - 1]! ^= 1
    const changed = { ...others, 'model.safetensors': weights, 'README.md': 'mine' }
    const verified = await verifyFiles(memoryFolder(changed))
    expect([...verified!.damaged].sort()).toEqual(['model.safetensors', 'tokenizer.json'])
    expect(verified!.intact).toContain('config.json')
  })

  test('that is forged is refused, and names that leave the folder too', async () => {
    const { files } = await written()
    const forge = (change: object) => {
      const json = { ...JSON.parse(new TextDecoder().decode(files[PROVENANCE_FILE])), ...change }
      return memoryFolder({ ...files, [PROVENANCE_FILE]: JSON.stringify(json) }, 'forged')
    }
    await expect(openPortable(forge({ calibration: 7 }))).rejects.toThrow(/provenance\.json: calibration/)
    await expect(verifyFiles(forge({ hashes: { 'config.json': 'abc' } }))).rejects.toThrow(/hashes\.config\.json/)
    const outside = { hashes: { '../secret': 'a'.repeat(64) } }
    expect((await verifyFiles(forge(outside)).catch(() => undefined))?.intact ?? []).toEqual([])
  })

  test('a store keeps its own, and one that was cut says what is missing', async () => {
    await using model = roundedModel(await floatModel('llama'), () => ({ bits: 4, groupSize: 16, symmetric: true }))
    const output = memoryWriter('store')
    await writeModel(model, 'awq', output, { command: 'awq quantize x' })
    const files = await contents(output.folder())
    expect(Object.keys(files)).not.toContain(PROVENANCE_FILE)
    const weights = files['model.safetensors']!
    const cut = memoryFolder({ ...files, 'model.safetensors': weights.subarray(0, weights.length - 10) }, 'cut')
    await expect(openPortable(cut)).rejects.toMatchObject({ code: 'INVALID_FILE' })
    expect((await verifyFiles(cut))?.damaged).toEqual(['model.safetensors'])
  })
})
