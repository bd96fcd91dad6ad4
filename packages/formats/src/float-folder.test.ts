import { dequantize, fromFloat32, openCheckpoint, transposed } from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import { openPortable } from './convert.ts'
import { floatModel, roundedModel } from './fixtures/models.ts'
import { floatFolder } from './float-folder.ts'

describe('a model as a float checkpoint', () => {
  test.each(['llama', 'gpt2', 'gpt-oss'])(
    '%s: float tensors are the same bytes, in whatever pieces they are read',
    async (name) => {
      await using model = await floatModel(name)
      const folder = floatFolder(model)
      await using again = await openPortable(folder)
      expect(again.format).toBe('float')
      for (const [parameter, held] of model.parameters) {
        const copy = again.parameters.get(parameter)
        if (held.kind !== 'float' || copy?.kind !== 'float') throw new Error(parameter)
        expect(await copy.entry.read(), parameter).toEqual(await held.entry.read())
      }
      const source = await folder.open('model.safetensors')
      const whole = await source.read(0, source.size)
      for (const [from, length] of [
        [0, 10],
        [5, 4000],
        [source.size - 333, 333],
        [source.size, 0],
      ] as const)
        expect(await source.read(from, length)).toEqual(whole.subarray(from, from + length))
      await expect(source.read(source.size - 3, 4)).rejects.toThrow(/lie outside/)
    },
  )

  test('codes become what they stand for, turned as float checkpoints have them', async () => {
    await using model = roundedModel(await floatModel('gpt2'), () => ({ bits: 8, groupSize: 16, symmetric: false }))
    await using checkpoint = await openCheckpoint(floatFolder(model))
    const name = 'transformer.h.0.mlp.c_fc.weight'
    const parameter = model.parameters.get(name)
    if (parameter?.kind !== 'quantized') throw new Error(name)
    const [out, inputs] = parameter.shape
    const values = transposed(dequantize(await parameter.read()), out, inputs)
    const entry = checkpoint.tensors.get(name)!
    expect(entry.shape).toEqual([inputs, out])
    expect(await entry.read()).toEqual(fromFloat32(values, 'F32'))
    expect(await entry.read({ rows: [1, 3] })).toEqual(fromFloat32(values.slice(out, 3 * out), 'F32'))
  })
})
