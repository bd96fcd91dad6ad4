import { MANIFEST_FILE } from '@awq/quantize'
import { type Folder, memoryFolder } from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import { convert, openPortable, recogniseFormat, writeModel } from './convert.ts'
import { floatModel, roundedModel } from './fixtures/models.ts'
import { memoryWriter } from './folder/memory-writer.ts'
import type { PortableModel } from './model.ts'

/** A store of a fixture, its blocks at 4 bits, its tables at 8. */
const storeOf = async (name: string): Promise<Folder> => {
  const model = roundedModel(await floatModel(name), (matrix) =>
    matrix.includes('embed') || matrix.includes('head')
      ? { bits: 8, groupSize: 32, symmetric: true }
      : { bits: 4, groupSize: 16, symmetric: false },
  )
  const output = memoryWriter('store')
  await writeModel(model, 'awq', output)
  await model[Symbol.asyncDispose]()
  return output.folder()
}

/** The bytes of a folder's files. */
const contents = async (folder: Folder): Promise<Record<string, Uint8Array>> => {
  const files: Record<string, Uint8Array> = {}
  for (const file of await folder.list()) {
    const source = await folder.open(file)
    files[file] = await source.read(0, source.size)
  }
  return files
}

/** All that a model holds, read. */
const held = async (model: PortableModel) => {
  const parameters: Record<string, unknown> = {}
  for (const [name, parameter] of model.parameters)
    parameters[name] = parameter.kind === 'float' ? await parameter.entry.read() : await parameter.read()
  return parameters
}

describe('our store as a format', () => {
  test.each(['llama', 'gpt2', 'mixtral', 'phi3', 'gpt-oss'])(
    '%s is written, and reads back as it was',
    async (name) => {
      await using model = roundedModel(await floatModel(name), () => ({ bits: 3, groupSize: 16, symmetric: false }))
      const output = memoryWriter('store')
      await writeModel(model, 'awq', output)
      expect((await recogniseFormat(output.folder()))?.name).toBe('awq')
      await using again = await openPortable(output.folder())
      expect(await held(again)).toEqual(await held(model))
      expect(again.config).toEqual(model.config)
      expect(again.provenance.method).toBe('rtn')
    },
  )

  test('a copy of a copy has the same bytes', async () => {
    const store = await storeOf('llama')
    const output = memoryWriter('copy')
    await convert(store, output)
    expect(await contents(output.folder())).toEqual(await contents(store))
  })

  test('names its files with their hashes', async () => {
    const store = await storeOf('llama')
    const files = await contents(store)
    const { hashes } = JSON.parse(new TextDecoder().decode(files[MANIFEST_FILE])) as { hashes: object }
    expect(Object.keys(hashes).sort()).toEqual(
      Object.keys(files)
        .filter((file) => file !== MANIFEST_FILE && file !== 'README.md')
        .sort(),
    )
  })

  test('refuses float models, and tells what is missing in a damaged one', async () => {
    await using float = await floatModel('llama')
    await expect(writeModel(float, 'awq', memoryWriter())).rejects.toThrow(/cannot hold .*use awq quantize/)
    const files = await contents(await storeOf('llama'))
    const manifest = JSON.parse(new TextDecoder().decode(files[MANIFEST_FILE])) as { matrices: Record<string, object> }
    delete manifest.matrices['model.layers.0.mlp.up_proj.weight']
    const folder = memoryFolder({ ...files, [MANIFEST_FILE]: JSON.stringify(manifest) }, 'damaged')
    await expect(openPortable(folder)).rejects.toThrow(/has no tensor model\.layers\.0\.mlp\.up_proj\.weight/)
  })
})
