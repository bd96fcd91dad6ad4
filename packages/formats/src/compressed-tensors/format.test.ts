import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { QuantSpec } from '@awq/quantize'
import {
  AwqError,
  dequantize,
  float16BitsToFloat32,
  fromFloat32,
  memoryFolder,
  memorySink,
  memorySource,
  openSafetensors,
  type QuantizedMatrix,
  readFloat32,
  type TensorEntry,
  writeSafetensors,
} from '@awq/tensor'
import { fileSource, openFolder } from '@awq/tensor/node'
import { describe, expect, test } from 'vitest'
import { checkHolds, convert, openPortable, writeModel } from '../convert.ts'
import { floatModel, roundedModel } from '../fixtures/models.ts'
import { memoryWriter } from '../folder/memory-writer.ts'
import type { PortableModel } from '../model.ts'

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

test('experts that transformers does not read are told of', async () => {
  await using float = await floatModel('mixtral')
  const told = async (spec: QuantSpec): Promise<string[]> => {
    const warnings: string[] = []
    await written(
      roundedModel(float, (name) => (isTable(name) ? null : { ...spec, groupSize: -1 })),
      warnings,
    )
    return warnings
  }
  expect(await told(specs[0] as QuantSpec)).toEqual([expect.stringMatching(/its experts have zero points/)])
  expect(await told(specs[1] as QuantSpec)).toEqual([])
})

test('the group of the experts is where transformers looks for it', async () => {
  await using float = await floatModel('mixtral')
  const model = roundedModel(float, (name) =>
    isTable(name) ? null : { bits: name.includes('experts') ? 4 : 8, groupSize: -1, symmetric: true },
  )
  const folder = await written(model)
  const { config_groups: groups } = JSON.parse(await folder.readText('config.json')).quantization_config
  expect(groups.group_0.weights.num_bits).toBe(4)
  expect(groups.group_0.targets.every((target: string) => target.includes('.experts.'))).toBe(true)
  expect(groups.group_1.weights.num_bits).toBe(8)
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

const fixtures = fileURLToPath(new URL('../fixtures/compressed-tensors', import.meta.url))

/** A folder's files, to be changed. */
const filesOf = async (name: string) => {
  const file = (part: string) => readFile(join(fixtures, name, part))
  return {
    config: JSON.parse(String(await file('config.json'))),
    weights: new Uint8Array(await file('model.safetensors')),
  }
}

const folderOf = ({ config, weights }: { config: unknown; weights: Uint8Array }) =>
  memoryFolder({ 'config.json': JSON.stringify(config), 'model.safetensors': weights }, 'made')

describe('checkpoints that llm-compressor made', () => {
  test.each(['llama-w4', 'llama-mixed', 'qwen3-w8'])('%s is what compressed-tensors reads from it', async (name) => {
    const warnings: string[] = []
    const golden = await openSafetensors(await fileSource(join(fixtures, name, 'golden.safetensors')))
    {
      await using model = await openPortable(await openFolder(join(fixtures, name)), {
        onWarning: (line) => warnings.push(line),
      })
      expect(model.format).toBe('compressed-tensors')
      const quantized = [...model.parameters].filter(([, { kind }]) => kind === 'quantized')
      expect(quantized.map(([key]) => key).sort()).toEqual([...golden.tensors.keys()].sort())
      for (const [key, parameter] of quantized) {
        const { dtype, read } = golden.tensors.get(key) as TensorEntry
        const matrix = parameter.kind === 'quantized' ? await parameter.read() : undefined
        // They multiply in the type of the scales.
        expect(fromFloat32(dequantize(matrix as QuantizedMatrix), dtype)).toEqual(await read())
      }
    }
    expect(warnings).toEqual([])
    await golden.close()
  })

  test('go through our format and back without a change', async () => {
    const first = await openPortable(await openFolder(join(fixtures, 'llama-mixed')))
    const store = memoryWriter('store')
    await writeModel(first, 'awq', store)
    await using second = await openPortable(store.folder())
    await using third = await openPortable(await written(second))
    await expectSame(first, third)
    await first[Symbol.asyncDispose]()
  })

  const group = {
    targets: ['Linear'],
    weights: { num_bits: 4, type: 'int', symmetric: true, strategy: 'group', group_size: 16 },
  }
  const refused: [what: string, change: (config: Record<string, unknown>) => void, message: RegExp][] = [
    ['another format', (q) => Object.assign(q, { format: 'marlin-24' }), /format is "marlin-24"/],
    [
      'floats of 4 bits',
      (q) => Object.assign(q, { config_groups: { a: { ...group, weights: { ...group.weights, type: 'float' } } } }),
      /a\.weights: type "float"/,
    ],
    [
      'blocks',
      (q) => Object.assign(q, { config_groups: { a: { ...group, weights: { ...group.weights, strategy: 'block' } } } }),
      /strategy "block"/,
    ],
    [
      '20 bits',
      (q) => Object.assign(q, { config_groups: { a: { ...group, weights: { ...group.weights, num_bits: 20 } } } }),
      /num_bits 20/,
    ],
    [
      'bits in quotation marks',
      (q) => Object.assign(q, { config_groups: { a: { ...group, weights: { ...group.weights, num_bits: '4' } } } }),
      /a\.weights\.num_bits is .*4.*take the quotation marks away/,
    ],
    [
      'groups that are a list',
      (q) => Object.assign(q, { config_groups: { W4A16: ['Linear'] } }),
      /config_groups\.W4A16 must be an object/,
    ],
    ['no groups', (q) => Object.assign(q, { config_groups: {} }), /proj\.weight_packed.*no scheme/],
    [
      'groups of another size',
      (q) => Object.assign(q, { config_groups: { a: { ...group, weights: { ...group.weights, group_size: 32 } } } }),
      /no scheme/,
    ],
    ['transforms', (q) => Object.assign(q, { transform_config: { config_groups: { R3: {} } } }), /transform_config/],
  ]
  test.each(refused)('with %s are refused', async (_, change, message) => {
    const files = await filesOf('llama-w4')
    change(files.config.quantization_config)
    await expect(openPortable(folderOf(files))).rejects.toThrow(message)
    await expect(openPortable(folderOf(files))).rejects.toSatisfy(AwqError.is)
  })

  test('with forged sizes are refused before memory is taken', async () => {
    const { config, weights } = await filesOf('llama-w4')
    const { tensors } = await openSafetensors(memorySource(weights))
    const forge = async (name: string, bytes: ArrayBufferView, message: RegExp) => {
      const { offset } = tensors.get(`model.layers.1.self_attn.q_proj.${name}`) as TensorEntry
      const forged = weights.slice()
      forged.set(new Uint8Array(bytes.buffer), offset)
      await expect(openPortable(folderOf({ config, weights: forged }))).rejects.toThrow(message)
    }
    await forge('weight_shape', BigInt64Array.of(2n ** 60n, 32n), /which no matrix is/)
    await forge('weight_shape', BigInt64Array.of(-4n, 32n), /which no matrix is/)
    await forge('weight_shape', BigInt64Array.of(32n, 64n), /no scheme/)
    await forge('weight_shape', BigInt64Array.of(16n, 32n), /\[16, 32\]/)
    const { offset } = tensors.get('model.layers.1.self_attn.q_proj.weight_scale') as TensorEntry
    const infinite = weights.slice()
    infinite.set([0x80, 0x7f], offset)
    await using model = await openPortable(folderOf({ config, weights: infinite }))
    const parameter = model.parameters.get('model.layers.1.self_attn.q_proj.weight')
    await expect(parameter?.kind === 'quantized' && parameter.read()).rejects.toThrow(
      /q_proj\.weight_scale: the scale Infinity/,
    )
  })
})

test('what could be read in two ways is refused', async () => {
  const { config, weights } = await filesOf('llama-w4')
  const groups = config.quantization_config.config_groups
  const [first] = Object.values(groups) as { weights: object }[]
  const other = { ...first, targets: ['x'], weights: { ...first!.weights, group_size: 17 } }
  const twice = {
    ...config,
    quantization_config: { ...config.quantization_config, config_groups: { ...groups, other } },
  }
  await expect(openPortable(folderOf({ config: twice, weights }))).rejects.toThrow(
    /more than one of config_groups fits/,
  )

  const checkpoint = await openSafetensors(memorySource(weights))
  const entries = [...checkpoint.tensors.values()].map(({ name, dtype, shape, read }) => ({
    ...{ name, dtype, shape, data: () => read() },
  }))
  const beside = { name: 'model.layers.0.mlp.down_proj.weight', dtype: 'F16' as const, shape: [1] }
  const sink = memorySink()
  await writeSafetensors([...entries, { ...beside, data: async () => new Uint8Array(2) }], sink)
  await expect(openPortable(folderOf({ config, weights: sink.bytes() }))).rejects.toThrow(
    /down_proj.weight_packed" has "model.layers.0.mlp.down_proj.weight" beside it/,
  )
})

test('activation order becomes an order of inputs', async () => {
  const { config, weights } = await filesOf('llama-w4')
  const checkpoint = await openSafetensors(memorySource(weights))
  const module = 'model.layers.0.mlp.down_proj'
  const index = Int32Array.from({ length: 48 }, (_, input) => (input * 5) % 3)
  const sink = memorySink()
  const entries = [...checkpoint.tensors.values()].map(({ name, dtype, shape, read }) => ({
    name,
    dtype,
    shape,
    data: () => read(),
  }))
  const added = {
    name: `${module}.weight_g_idx`,
    dtype: 'I32' as const,
    shape: [48],
    data: async () => new Uint8Array(index.buffer),
  }
  await writeSafetensors([...entries, added], sink)
  await using model = await openPortable(folderOf({ config, weights: sink.bytes() }))
  await using plain = await openPortable(folderOf({ config, weights }))
  const [ordered, own] = [model, plain].map(({ parameters }) => parameters.get(`${module}.weight`))
  if (ordered?.kind !== 'quantized' || own?.kind !== 'quantized') throw new Error('not quantized')
  expect(ordered.inputOrder).toBe(true)
  const matrix = await own.read()
  const values = dequantize(await ordered.read())
  for (let row = 0; row < 32; row++)
    for (let input = 0; input < 48; input++) {
      const scale = float16BitsToFloat32(matrix.scales[row * 3 + (index[input] as number)] as number)
      expect(values[row * 48 + input]).toBe(((matrix.codes[row * 48 + input] as number) - 8) * scale)
    }
  const wrong = { ...added, data: async () => new Uint8Array(new Int32Array(48).fill(1).buffer) }
  const other = memorySink()
  await writeSafetensors([...entries, wrong], other)
  await expect(openPortable(folderOf({ config, weights: other.bytes() }))).rejects.toThrow(
    /group 0 has 0 inputs in place of 16/,
  )
})
