import type { QuantSpec } from '@awq/quantize'
import { dequantize, readFloat32 } from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import { checkHolds, convert, openPortable, writeModel } from './convert.ts'
import { floatModel, roundedModel } from './fixtures/models.ts'
import { memoryWriter } from './memory-writer.ts'
import type { PortableModel } from './model.ts'

const written = async (model: PortableModel, warnings: string[] = []) => {
  const writer = memoryWriter('out')
  await writeModel(model, 'compressed-tensors', writer, { onWarning: (line) => warnings.push(line) })
  return writer.folder()
}

const isTable = (name: string): boolean => /embed|lm_head/.test(name)

/** Whether both have the same codes, scales and zero points, and the same floats; tables may have become float16. */
const expectSame = async (one: PortableModel, other: PortableModel): Promise<void> => {
  for (const [name, parameter] of one.parameters) {
    const found = other.parameters.get(name)
    if (parameter.kind === 'float') {
      expect(found?.kind).toBe('float')
      if (found?.kind === 'float') expect(await found.entry.read()).toEqual(await parameter.entry.read())
    } else if (found?.kind === 'quantized') {
      const [left, right] = [await parameter.read(), await found.read()]
      expect({ ...right, groupSize: 0 }).toEqual({ ...left, groupSize: 0 })
    } else {
      expect(isTable(name)).toBe(true)
      if (found) {
        const values = dequantize(await parameter.read())
        const halves = await readFloat32(found.entry)
        for (const [i, value] of values.entries())
          expect(Math.abs((halves[i] as number) - value)).toBeLessThanOrEqual(Math.abs(value) * 2 ** -11 + 2 ** -25)
      }
    }
  }
}

const specs: QuantSpec[] = [
  { bits: 4, groupSize: 16, symmetric: false },
  { bits: 3, groupSize: 16, symmetric: true },
  { bits: 2, groupSize: -1, symmetric: false },
  { bits: 8, groupSize: -1, symmetric: true },
]

describe('written and read again', () => {
  test.each(specs)('%o', async (spec) => {
    await using float = await floatModel('llama')
    const model = roundedModel(float, () => spec)
    const warnings: string[] = []
    const folder = await written(model, warnings)
    await using back = await openPortable(folder)
    expect(back.format).toBe('compressed-tensors')
    expect(warnings.filter((line) => /becomes float16/.test(line)).length).toBeGreaterThan(0)
    await expectSame(model, back)
  })

  test('bits that differ by layer', async () => {
    await using float = await floatModel('llama')
    const names = [...float.parameters.keys()]
    const model = roundedModel(float, (name) => specs[names.indexOf(name) % specs.length] as QuantSpec)
    const warnings: string[] = []
    const folder = await written(model, warnings)
    await using back = await openPortable(folder)
    await expectSame(model, back)
    expect(warnings.some((line) => /vLLM/.test(line))).toBe(true)
    const { config_groups: groups } = JSON.parse(await folder.readText('config.json')).quantization_config
    expect(
      Object.values(groups as Record<string, { targets: string[] }>).flatMap(({ targets }) => targets),
    ).not.toContain('Linear')
  })

  test('to our store', async () => {
    await using float = await floatModel('qwen3')
    const model = roundedModel(float, (name) => (isTable(name) ? null : (specs[0] as QuantSpec)))
    const into = memoryWriter('out')
    await convert(await written(model), into)
    await using back = await openPortable(into.folder())
    expect(back.format).toBe('awq')
    await expectSame(model, back)
  })
})

test('what it cannot hold is said', async () => {
  await using float = await floatModel('llama')
  const model = roundedModel(float, () => specs[0] as QuantSpec)
  const changed = (change: object): PortableModel => ({
    ...model,
    parameters: new Map(
      [...model.parameters].map(([name, given]) => [name, given.kind === 'float' ? given : { ...given, ...change }]),
    ),
  })
  const holds = (given: PortableModel) => checkHolds(given, 'compressed-tensors')
  await holds(model)
  await expect(holds(float)).rejects.toThrow(/none of its matrices/)
  await expect(holds(changed({ denseColumns: 2 }))).rejects.toThrow(/q_proj.weight: 2 of its columns stay float/)
  await expect(holds(changed({ inputOrder: true }))).rejects.toThrow(/order of their own/)
  await expect(holds(changed({ spec: { ...specs[0], groupSize: 32 }, shape: [64, 48] }))).rejects.toThrow(/rows of 48/)
  await using gpt2 = await floatModel('gpt2')
  await expect(holds(roundedModel(gpt2, () => specs[0] as QuantSpec))).rejects.toThrow(/Conv1D/)
})
