import { type Folder, memoryFolder } from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import { checkHolds, convert, openPortable, writableFormat, writeModel } from './convert.ts'
import { floatModel, roundedModel } from './fixtures/models.ts'
import { memoryWriter } from './folder/memory-writer.ts'

describe('convert', () => {
  test('a float model is copied, under the names of its description', async () => {
    await using model = await floatModel('gpt2')
    const output = memoryWriter()
    const bytes = await writeModel(model, 'float', output)
    const folder: Folder = output.folder()
    let size = 0
    for (const file of await folder.list()) size += (await folder.open(file)).size
    expect(size).toBe(bytes)
    await using again = await openPortable(folder)
    for (const [name, parameter] of model.parameters) {
      const copy = again.parameters.get(name)
      expect(parameter.kind === 'float' && (await parameter.entry.read())).toEqual(
        copy?.kind === 'float' && (await copy.entry.read()),
      )
    }
  })

  test('names what it does not know', async () => {
    await expect(convert(memoryFolder({ 'a.txt': '' }, 'empty'), memoryWriter())).rejects.toThrow(
      /empty is in no format known here \(awq, /,
    )
    const config = (quantization: unknown) => ({ 'config.json': JSON.stringify({ quantization_config: quantization }) })
    const other = memoryFolder({ ...config({ quant_method: 'aqlm' }), 'model.safetensors': new Uint8Array(9) }, 'other')
    await expect(openPortable(other)).rejects.toThrow(/its quantization_config says "aqlm"/)
    await expect(openPortable(memoryFolder(config([1]), 'list'))).rejects.toThrow(
      /quantization_config must be an object/,
    )
    expect(() => writableFormat('pickle')).toThrow(/there is no format "pickle"; choose from awq, /)
  })

  test('tells some reasons of many why a format cannot hold a model', async () => {
    await using model = roundedModel(await floatModel('llama'), () => ({ bits: 4, groupSize: 16, symmetric: true }))
    await expect(checkHolds(model, 'float')).rejects.toThrow(/^float cannot hold .*is quantized; and \d+ more$/)
  })

  test('an abort leaves nothing', async () => {
    await using model = await floatModel('llama')
    const controller = new AbortController()
    const output = memoryWriter()
    const written = writeModel(model, 'float', output, {
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('enough')),
    })
    await expect(written).rejects.toThrow('enough')
    expect(() => output.folder()).toThrow(/not committed/)
  })
})
