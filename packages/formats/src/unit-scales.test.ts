import { fromFloat32, type TensorEntry } from '@awq/tensor'
import { expect, test } from 'vitest'
import { checkHolds, openPortable, writeModel } from './convert.ts'
import { floatModel, roundedModel } from './fixtures/models.ts'
import { memoryWriter } from './folder/memory-writer.ts'
import type { PortableModel } from './model.ts'

const NAME = 'transformer.h.1.mlp.dense_4h_to_h.input_scale.weight'

/** Bloom with a vector of scales behind an activation, all of them `value` but the last. */
const withScales = async (value: number): Promise<PortableModel> => {
  const model = roundedModel(await floatModel('bloom'), (name) =>
    /word_embeddings/.test(name) ? null : { bits: 4, groupSize: 16, symmetric: false },
  )
  const inputs = [...model.parameters.values()].find(({ kind }) => kind === 'quantized')
  if (inputs?.kind !== 'quantized') throw new Error('nothing is quantized')
  const values = new Float32Array(4 * inputs.shape[1]).fill(1)
  values[values.length - 1] = value
  const bytes = fromFloat32(values, 'F32')
  const entry: TensorEntry = {
    ...{ name: NAME, dtype: 'F32', shape: [values.length], file: 'memory', offset: 0, length: bytes.length },
    read: async () => bytes.slice(),
  }
  return { ...model, parameters: new Map([...model.parameters, [NAME, { kind: 'float', entry }]]) }
}

test.each(['compressed-tensors', 'autoawq', 'gptq'])('%s refuses scales that it would lose', async (format) => {
  await using model = await withScales(2)
  await expect(checkHolds(model, format)).rejects.toThrow(/h\.1\.mlp\.dense_4h_to_h\.input_scale.* no place/)
})

test.each(['compressed-tensors', 'autoawq', 'gptq'])('%s leaves out scales of one', async (format) => {
  await using model = await withScales(1)
  await checkHolds(model, format)
  const into = memoryWriter('out')
  await writeModel(model, format, into)
  await using back = await openPortable(into.folder())
  expect(back.parameters.has(NAME)).toBe(false)
})

test('our store keeps both', async () => {
  for (const value of [1, 2]) {
    await using model = await withScales(value)
    const into = memoryWriter('out')
    await writeModel(model, 'awq', into)
    await using back = await openPortable(into.folder())
    expect(back.parameters.has(NAME)).toBe(true)
  }
})
