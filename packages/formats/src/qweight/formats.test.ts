import type { QuantSpec } from '@awq/quantize'
import {
  dequantize,
  type Folder,
  float32ToFloat16Bits,
  fromFloat32,
  memoryFolder,
  memorySink,
  toFloat32,
  writeSafetensors,
} from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import { checkHolds, openPortable, writeModel } from '../convert.ts'
import { floatModel, roundedModel } from '../fixtures/models.ts'
import { wideModel } from '../fixtures/wide-model.ts'
import { memoryWriter } from '../folder/memory-writer.ts'
import type { PortableModel, QuantizedParameter } from '../model.ts'
import { packAutoAwq } from './autoawq-layout.ts'
import { packGptq } from './gptq-layout.ts'

const written = async (model: PortableModel, format: string, warnings: string[] = []): Promise<Folder> => {
  const writer = memoryWriter('out')
  await writeModel(model, format, writer, { onWarning: (line) => warnings.push(line) })
  return writer.folder()
}
const isTable = (name: string): boolean => /embed|wte|lm_head/.test(name)
const linearsOnly = (spec: QuantSpec) => (name: string) => (isTable(name) ? null : spec)

const expectSame = async (one: PortableModel, other: PortableModel, withZeros = false): Promise<void> => {
  expect([...other.parameters.keys()].sort()).toEqual([...one.parameters.keys()].sort())
  for (const [name, parameter] of one.parameters) {
    const found = other.parameters.get(name)!
    if (parameter.kind === 'float' && found.kind === 'float') {
      expect(await found.entry.read()).toEqual(await parameter.entry.read())
    } else if (parameter.kind === 'quantized' && found.kind === 'quantized') {
      const [left, right] = [await parameter.read(), await found.read()]
      const middle = new Uint8Array(left.scales.length).fill(2 ** (left.bits - 1))
      const zeroPoints = left.zeroPoints ?? (withZeros ? middle : null)
      expect({ ...right, groupSize: 0 }).toEqual({ ...left, zeroPoints, groupSize: 0 })
    } else expect(found.kind).toBe(parameter.kind)
  }
}

const four: QuantSpec = { bits: 4, groupSize: 32, symmetric: false }

describe('written and read again', () => {
  test.each<[string, string, QuantSpec, string]>([
    ['wide', 'autoawq', { bits: 4, groupSize: 16, symmetric: false }, 'autoawq'],
    ['wide', 'autoawq', { bits: 4, groupSize: -1, symmetric: true }, 'autoawq'],
    ['mixtral', 'autoawq', { bits: 4, groupSize: -1, symmetric: false }, 'autoawq'],
    ['wide', 'autoawq-gemv', four, 'autoawq-gemv'],
    ['wide', 'gptq', { bits: 4, groupSize: 16, symmetric: false }, 'gptq'],
    ['llama', 'gptq', { bits: 4, groupSize: 32, symmetric: false }, 'gptq'],
    ['wide', 'gptq', { bits: 4, groupSize: 16, symmetric: true }, 'gptq'],
    ['wide', 'gptq-v2', { bits: 8, groupSize: -1, symmetric: true }, 'gptq'],
    ['wide', 'gptq-v1', { bits: 2, groupSize: 32, symmetric: true }, 'gptq'],
    ['wide', 'gptq', { bits: 2, groupSize: 16, symmetric: false }, 'gptq'],
    ['wide', 'gptq', { bits: 3, groupSize: 32, symmetric: false }, 'gptq'],
    ['gpt2', 'gptq', { bits: 4, groupSize: 16, symmetric: true }, 'gptq'],
    ['phi3', 'gptq', { bits: 8, groupSize: 16, symmetric: false }, 'gptq'],
  ])('%s as %s, %o', async (name, format, spec, back) => {
    await using float = name === 'wide' ? await wideModel() : await floatModel(name)
    const model = roundedModel(float, linearsOnly(spec))
    await using read = await openPortable(await written(model, format))
    expect(read.format).toBe(back)
    await expectSame(model, read, format.startsWith('autoawq'))
  })

  test('with tables, which become float16', async () => {
    await using float = await wideModel()
    const model = roundedModel(float, () => four)
    const warnings: string[] = []
    await using read = await openPortable(await written(model, 'gptq', warnings))
    expect(warnings.filter((line) => /becomes float16/.test(line)).length).toBeGreaterThan(0)
    const table = read.parameters.get('model.embed_tokens.weight')!
    expect(table.kind === 'float' && table.entry.dtype).toBe('F16')
  })

  test('bits that differ by matrix, and matrices that stay float, with rules for both', async () => {
    await using float = await wideModel()
    const specs: QuantSpec[] = [
      { ...four, groupSize: 16 },
      { ...four, bits: 8 },
      { ...four, bits: 2 },
    ]
    const model = roundedModel(float, (name) => {
      if (isTable(name) || /layers\.0\..*up_proj/.test(name)) return null
      return specs[/down/.test(name) ? 1 : /v_proj/.test(name) ? 2 : 0]!
    })
    const warnings: string[] = []
    const folder = await written(model, 'gptq', warnings)
    expect(warnings.join()).toMatch(/dynamic/)
    await using read = await openPortable(folder)
    await expectSame(model, read)
    const { quantization_config: config } = JSON.parse(await folder.readText('config.json'))
    expect(config.checkpoint_format).toBe('gptq_v2')
    expect(config.dynamic['+:^model\\.layers\\.1\\.mlp\\.down_proj$']).toEqual({ bits: 8, group_size: 32, sym: false })
    expect(config.dynamic['-:^model\\.layers\\.0\\.mlp\\.up_proj$']).toEqual({})
    const [modules] = config.modules_in_block_to_quantize
    expect(modules).toContain('model.layers.1.mlp.up_proj')
    expect(modules).not.toContain('model.layers.0.mlp.up_proj')
    await expect(checkHolds(model, 'autoawq')).rejects.toThrow(/down_proj.weight has 8 bits, and AutoAWQ 4/)
  })

  test('rules of siblings hold for the one matrix that vLLM makes of them', async () => {
    await using float = await wideModel()
    const model = roundedModel(float, (name) => {
      if (isTable(name) || /layers\.0\..*(gate|up)_proj/.test(name)) return null
      return { bits: /[qkv]_proj/.test(name) ? 8 : 4, groupSize: 16, symmetric: true }
    })
    const warnings: string[] = []
    const folder = await written(model, 'gptq', warnings)
    expect(warnings.filter((line) => line.includes('vLLM reads no GPTQ') || line.includes('read one value'))).toEqual(
      [],
    )
    const { dynamic } = JSON.parse(await folder.readText('config.json')).quantization_config
    const rules = Object.keys(dynamic)
    const ruleOf = (module: string) => rules.filter((rule) => new RegExp(rule.slice(2)).test(module))
    // Rules or none, if theirs are the usual bits: the whole has what its parts have.
    const attention = ['q_proj', 'k_proj', 'v_proj', 'qkv_proj'].map((one) => ruleOf(`model.layers.1.self_attn.${one}`))
    expect(new Set(attention.map((found) => found.join())).size).toBe(1)
    for (const one of ['gate_proj', 'up_proj', 'gate_up_proj']) {
      expect(ruleOf(`model.layers.0.mlp.${one}`)).toEqual([
        '-:^model\\.layers\\.0\\.mlp\\.(?:gate_proj|up_proj|gate_up_proj)$',
      ])
    }
    await expectSame(model, await openPortable(folder))
  })

  test.each<[string, (name: string) => QuantSpec | null, RegExp]>([
    [
      '3 bits',
      () => ({ bits: 3, groupSize: 32, symmetric: true }),
      /no GPTQ with bits other than 4 and 8; .*compressed/,
    ],
    ['zero points', () => ({ bits: 4, groupSize: 32, symmetric: false }), /no GPTQ with zero points/],
    [
      'siblings that differ',
      (name) => ({ bits: name.includes('k_proj') ? 8 : 4, groupSize: 32, symmetric: true }),
      /q_proj.weight and .*k_proj.weight read one value .*vLLM/,
    ],
  ])('what vLLM does not read is told of: %s', async (_, specOf, message) => {
    await using float = await wideModel()
    const warnings: string[] = []
    await written(
      roundedModel(float, (name) => (isTable(name) ? null : specOf(name))),
      'gptq',
      warnings,
    )
    expect(warnings.join()).toMatch(message)
  })

  test('AutoAWQ with a sibling that stays float is told of', async () => {
    await using float = await wideModel()
    const warnings: string[] = []
    const model = roundedModel(float, (name) => (isTable(name) || name.includes('k_proj') ? null : four))
    await written(model, 'autoawq', warnings)
    expect(warnings).toEqual([expect.stringMatching(/k_proj.weight read one value/)])
  })

  test('inputs in an order of their own, which AutoAWQ cannot hold', async () => {
    await using float = await wideModel()
    const model = ordered(roundedModel(float, linearsOnly(four)), /o_proj|gate|q_proj/)
    const folder = await written(model, 'gptq')
    const { desc_act } = JSON.parse(await folder.readText('config.json')).quantization_config
    expect(desc_act).toBe(true)
    await using read = await openPortable(folder)
    await expectSame(model, read)
    await using store = await openPortable(await written(read, 'awq'))
    await expectSame(model, store)
    await expect(checkHolds(model, 'autoawq')).rejects.toThrow(/order of their own/)
  })
})

/** Matrices that match with their columns in an order in which groups are not those of the model. */
const ordered = (model: PortableModel, which: RegExp): PortableModel => ({
  ...model,
  parameters: new Map(
    [...model.parameters].map(([name, parameter]) => {
      if (parameter.kind === 'float' || !which.test(name)) return [name, parameter]
      const [, width] = parameter.shape
      // Within each group ascending, as g_idx says no more.
      const { groupSize } = parameter.spec
      const count = Math.ceil(width / groupSize)
      const groupOf = Array.from({ length: width }, (_, input) => (input * 5) % count)
      const order = groupOf
        .map((_, input) => input)
        .sort((one, other) => groupOf[one]! - groupOf[other]! || one - other)
      const read: QuantizedParameter['read'] = async (options) => ({
        ...(await parameter.read(options)),
        inputOrder: Int32Array.from(order),
      })
      return [name, { ...parameter, inputOrder: true, read }]
    }),
  ),
})

test('what a format cannot hold is said', async () => {
  await using float = await wideModel()
  const model = roundedModel(float, linearsOnly(four))
  const change = (one: object): PortableModel => {
    const parameters = [...model.parameters].map(
      ([name, given]) => [name, given.kind === 'float' ? given : { ...given, ...one }] as const,
    )
    return { ...model, parameters: new Map(parameters) }
  }
  await expect(checkHolds(float, 'gptq')).rejects.toThrow(/none of its matrices/)
  await expect(checkHolds(change({ denseColumns: 2 }), 'gptq')).rejects.toThrow(/2 of its columns stay float/)
  await expect(checkHolds(change({ shape: [20, 64] }), 'autoawq')).rejects.toThrow(/20 rows are no multiple of 8/)
  await expect(checkHolds(change({ shape: [32, 72] }), 'autoawq')).rejects.toThrow(/72 inputs are no multiple/)
  await expect(checkHolds(change({ shape: [24, 64], spec: { ...four, bits: 3 } }), 'gptq')).rejects.toThrow(
    /come by 32/,
  )
  const zero: QuantizedParameter['read'] = async () => {
    const first = model.parameters.get('model.layers.1.mlp.up_proj.weight') as QuantizedParameter
    const matrix = await first.read()
    return { ...matrix, zeroPoints: matrix.zeroPoints!.map((point, at) => (at === 3 ? 0 : point)) }
  }
  await expect(checkHolds(change({ read: zero }), 'gptq-v1')).rejects.toThrow(/zero point of 0.*use gptq-v2/)
  await using gpt2 = await floatModel('gpt2')
  await expect(checkHolds(roundedModel(gpt2, linearsOnly(four)), 'autoawq')).rejects.toThrow(/Conv1D/)
  await expect(checkHolds(change({}), 'llm-awq')).rejects.toThrow(/only read/)
})

interface Made {
  readonly tensors: Map<string, { dtype: string; shape: number[]; data: Uint8Array }>
  readonly config: Record<string, unknown>
}
type Edit = (made: Made) => unknown

/** A checkpoint of GPTQ or AutoAWQ made of our packing, with changes. */
const made = async (format: 'gptq' | 'gemv_fast' | 'llm-awq', edit: Edit = () => {}): Promise<Folder> => {
  await using float = await wideModel()
  const spec: QuantSpec = { bits: 4, groupSize: 32, symmetric: format === 'gptq' }
  const model = roundedModel(float, linearsOnly(spec))
  const tensors = new Map<string, { dtype: string; shape: number[]; data: Uint8Array }>()
  const bytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => new Uint8Array(buffer, byteOffset, byteLength)
  for (const [name, parameter] of model.parameters) {
    if (parameter.kind === 'float') {
      const { dtype, shape } = parameter.entry
      tensors.set(name, { dtype, shape: [...shape], data: await parameter.entry.read() })
      continue
    }
    const matrix = await parameter.read()
    const module = name.replace(/\.weight$/, '')
    const [out, width] = matrix.shape
    if (format === 'gptq') {
      const { qweight, qzeros, scales } = packGptq(matrix, 1)
      tensors.set(`${module}.qweight`, { dtype: 'I32', shape: [width / 8, out], data: bytes(qweight) })
      tensors.set(`${module}.qzeros`, { dtype: 'I32', shape: [width / 32, out / 8], data: bytes(qzeros) })
      tensors.set(`${module}.scales`, { dtype: 'F16', shape: [width / 32, out], data: bytes(scales) })
    } else {
      const { qweight, qzeros, scales } = packAutoAwq('gemv_fast', matrix)
      const zeros = format === 'llm-awq' ? 'scaled_zeros' : 'qzeros'
      tensors.set(`${module}.qweight`, { dtype: 'I16', shape: [out / 4, width], data: bytes(qweight) })
      tensors.set(`${module}.${zeros}`, { dtype: 'F16', shape: [qzeros.length / out, out], data: bytes(qzeros) })
      tensors.set(`${module}.scales`, { dtype: 'F16', shape: [scales.length / out, out], data: bytes(scales) })
    }
  }
  const quantization: Record<string, unknown> =
    format === 'gptq'
      ? { quant_method: 'gptq', bits: 4, group_size: 32, sym: true, desc_act: false }
      : { quant_method: 'awq', bits: 4, group_size: 32, version: format }
  edit({ tensors, config: quantization })
  const sink = memorySink()
  const entries = [...tensors].map(([name, tensor]) => ({ name, ...tensor, dtype: tensor.dtype as 'F16' }))
  await writeSafetensors(entries, sink)
  return memoryFolder(
    {
      'model.safetensors': sink.bytes(),
      'config.json': JSON.stringify({ ...model.config, quantization_config: quantization }),
    },
    'made',
  )
}
const target = 'model.layers.0.self_attn.k_proj'

describe('read', () => {
  test.each(['gemv_fast', 'llm-awq'] as const)('%s, told by its tensors', async (format) => {
    await using float = await wideModel()
    const model = roundedModel(float, linearsOnly(four))
    await using read = await openPortable(await made(format))
    expect(read.format).toBe(format === 'llm-awq' ? 'llm-awq' : 'autoawq-gemv-fast')
    await expectSame(model, read)
  })

  test('llm-awq of a bfloat16 model', async () => {
    const folder = await made('llm-awq', ({ tensors }) => {
      for (const [name, tensor] of tensors) {
        if (!name.endsWith('.scales')) continue
        const zeros = tensors.get(name.replace('.scales', '.scaled_zeros'))!
        const [steps, products] = [tensor, zeros].map(({ data }) => toFloat32(data.slice(), 'F16'))
        const scales = fromFloat32(steps!, 'BF16')
        const points = toFloat32(scales, 'BF16').map((step, at) => {
          const zero = products![at] === 0 ? 0 : Math.round(-products![at]! / steps![at]!)
          return -step * zero
        })
        tensors.set(name, { ...tensor, dtype: 'BF16', data: scales })
        tensors.set(name.replace('.scales', '.scaled_zeros'), {
          ...{ ...zeros, dtype: 'BF16' },
          data: fromFloat32(points, 'BF16'),
        })
      }
    })
    await using float16 = await openPortable(await made('llm-awq'))
    await using read = await openPortable(folder)
    const matrixOf = (model: PortableModel) => (model.parameters.get(`${target}.weight`) as QuantizedParameter).read()
    const [one, other] = [await matrixOf(float16), await matrixOf(read)]
    expect(other.codes).toEqual(one.codes)
    expect(other.zeroPoints).toEqual(one.zeroPoints)
    expect(other.scales).not.toEqual(one.scales)
  })

  test('GPTQ without g_idx, with biases of zero, rotary frequencies, and bfloat16 scales', async () => {
    const warnings: string[] = []
    const folder = await made('gptq', ({ tensors }) => {
      tensors.set(`${target}.bias`, { dtype: 'F16', shape: [32], data: new Uint8Array(64) })
      tensors.set('model.layers.0.self_attn.rotary_emb.inv_freq', {
        dtype: 'F32',
        shape: [4],
        data: new Uint8Array(16),
      })
    })
    await using read = await openPortable(folder, { onWarning: (line) => warnings.push(line) })
    expect(read.parameters.has(`${target}.bias`)).toBe(false)
    await using float = await wideModel()
    await expectSame(roundedModel(float, linearsOnly({ ...four, symmetric: true })), read)
    expect(warnings).toEqual([])
  })

  test('scales that float16 does not hold, which one line tells of', async () => {
    const warnings: string[] = []
    const folder = await made('gptq', ({ tensors }) => {
      const scales = tensors.get(`${target}.scales`)!
      const values = Float32Array.from({ length: scales.data.length / 2 }, (_, i) => 0.01 + i * 1e-7)
      tensors.set(`${target}.scales`, { ...scales, dtype: 'F32', data: new Uint8Array(values.buffer) })
    })
    {
      await using read = await openPortable(folder, { onWarning: (line) => warnings.push(line) })
      const parameter = read.parameters.get(`${target}.weight`)!
      if (parameter.kind === 'quantized') await parameter.read()
    }
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/rounded to float16.*k_proj/)
  })

  test('the order of g_idx', async () => {
    const groups = Int32Array.from({ length: 64 }, (_, input) => (input % 2 === 0 ? 0 : 1))
    const folder = await made('gptq', ({ tensors, config }) => {
      tensors.set(`${target}.g_idx`, { dtype: 'I32', shape: [64], data: new Uint8Array(groups.buffer) })
      for (const name of [...tensors.keys()])
        if (name.endsWith('.qweight') && name !== `${target}.qweight`) {
          const width = tensors.get(name)!.shape[0]! * 8
          const sorted = Int32Array.from({ length: width }, (_, input) => Math.floor(input / 32))
          tensors.set(name.replace('qweight', 'g_idx'), {
            dtype: 'I32',
            shape: [width],
            data: new Uint8Array(sorted.buffer),
          })
        }
      config.desc_act = true
    })
    await using read = await openPortable(folder)
    const parameter = read.parameters.get(`${target}.weight`) as QuantizedParameter
    expect(parameter.inputOrder).toBe(true)
    expect((read.parameters.get('model.layers.0.self_attn.q_proj.weight') as QuantizedParameter).inputOrder).toBe(false)
    const matrix = await parameter.read()
    await using plain = await openPortable(await made('gptq'))
    const sorted = await (plain.parameters.get(`${target}.weight`) as QuantizedParameter).read()
    // Each input with the scale of the group that g_idx says.
    const [out, width] = matrix.shape
    const values = dequantize(matrix)
    const one = (at: number) => dequantize({ ...sorted, scales: new Uint16Array(sorted.scales.length).fill(at) })
    const units = one(float32ToFloat16Bits(1))
    const steps = await import('@awq/tensor').then(({ float16BitsToFloat32 }) => float16BitsToFloat32)
    for (let row = 0; row < out; row++)
      for (let input = 0; input < width; input++)
        expect(values[row * width + input]).toBe(
          units[row * width + input]! * steps(sorted.scales[row * 2 + groups[input]!]!),
        )
  })

  test('an order that the rows of gate and up can take, which leaves none', async () => {
    const groups = Int32Array.from({ length: 128 }, (_, input) => (input * 3) % 4)
    const module = 'model.layers.1.mlp.down_proj'
    const folder = await made('gptq', ({ tensors }) => tensors.set(`${module}.g_idx`, i32(groups)))
    await using folded = await openPortable(folder)
    await using plain = await openPortable(await made('gptq'))
    const matrixOf = async (model: PortableModel, name: string) =>
      await (model.parameters.get(`model.layers.1.mlp.${name}.weight`) as QuantizedParameter).read()
    const down = await matrixOf(folded, 'down_proj')
    expect(down.inputOrder).toBeUndefined()
    const order = [...groups.keys()].sort((one, other) => groups[one]! - groups[other]! || one - other)
    const codes = (await matrixOf(plain, 'down_proj')).codes
    expect([...down.codes.subarray(0, 128)]).toEqual(order.map((input) => codes[input]))
    for (const name of ['gate_proj', 'up_proj']) {
      const [own, before] = [dequantize(await matrixOf(folded, name)), dequantize(await matrixOf(plain, name))]
      for (const [row, from] of order.entries())
        expect(own.subarray(row * 64, row * 64 + 64)).toEqual(before.subarray(from * 64, from * 64 + 64))
    }
  })

  const i32 = (values: ArrayLike<number>) => {
    const data = new Uint8Array(Int32Array.from(values).buffer)
    return { dtype: 'I32', shape: [values.length], data }
  }
  const biasOf = (byte: number) => ({ dtype: 'F16', shape: [32], data: new Uint8Array(64).fill(byte) })
  const lies: [what: string, edit: Edit, message: RegExp][] = [
    [
      'no scales',
      ({ tensors }) => tensors.delete(`${target}.scales`),
      /has no "model.layers.0.self_attn.k_proj.scales"/,
    ],
    ['no g_idx', ({ config }) => Object.assign(config, { desc_act: true }), /has no .g_idx beside it.*desc_act/],
    [
      'a g_idx beyond its groups',
      ({ tensors }) => tensors.set(`${target}.g_idx`, i32(Array.from({ length: 64 }, (_, i) => (i === 9 ? 2 : 0)))),
      /k_proj.g_idx: input 9 is of group 2/,
    ],
    [
      'a g_idx of another length',
      ({ tensors }) => tensors.set(`${target}.g_idx`, i32(new Int32Array(63))),
      /I32 \[63\], but I32 \[64\] is expected/,
    ],
    [
      'codes of other bits',
      ({ tensors }) => Object.assign(tensors.get(`${target}.qweight`)!, { shape: [4, 64] }),
      /k_proj.qweight" is I32 \[4, 64\].*no matrix \[32, 64\]/,
    ],
    [
      'a configuration that says nothing of the version',
      ({ config }) => {
        for (const key of Object.keys(config)) delete config[key]
      },
      /nothing says of which version/,
    ],
    ['bits in quotation marks', ({ config }) => Object.assign(config, { bits: '4' }), /\.bits is .*take the quotation/],
    ['other bits than it states', ({ config }) => Object.assign(config, { bits: 8 }), /no matrix .* of 8 \(quantiz/],
    ['a group size that it has not', ({ config }) => Object.assign(config, { group_size: 64 }), /group_size is 64/],
    ['a size that is a list', ({ config }) => Object.assign(config, { group_size: [32] }), /a whole number is needed/],
    ["AutoAWQ's configuration", ({ config }) => Object.assign(config, { quant_method: 'awq' }), /of which version/],
    ['planar words', ({ config }) => Object.assign(config, { checkpoint_format: 'gptq_p' }), /is "gptq_p"/],
    ['words of 64 bits', ({ config }) => Object.assign(config, { pack_dtype: 'int64' }), /pack_dtype is "int64"/],
    ['a bias it has not', ({ tensors }) => tensors.set(`${target}.bias`, biasOf(1)), /k_proj.bias" is not zero/],
    [
      'a matrix beside it',
      ({ tensors }) => tensors.set(`${target}.weight`, biasOf(0)),
      /has "model.layers.0.self_attn.k_proj.weight" beside it/,
    ],
    [
      'a matrix it has no place for',
      ({ tensors }) => {
        for (const part of ['qweight', 'qzeros', 'scales'])
          tensors.set(`model.layers.0.x.${part}`, { ...tensors.get(`${target}.${part}`)! })
      },
      /x.qweight" is no matrix of a llama model/,
    ],
  ]
  test.each(lies)('GPTQ with %s is refused', async (_, edit, message) => {
    await expect(openPortable(await made('gptq', edit))).rejects.toThrow(message)
  })

  test('zero points other than the middle are refused where the configuration says symmetric', async () => {
    const folder = await made('gptq', ({ tensors }) => tensors.get(`${target}.qzeros`)!.data.set([0x70]))
    await using read = await openPortable(folder)
    const parameter = read.parameters.get(`${target}.weight`) as QuantizedParameter
    await expect(parameter.read()).rejects.toThrow(
      /k_proj.qzeros" has the zero point 1, but .*says that it is symmetric/,
    )
  })

  test.each([
    ['other bits', { bits: 8 }, /8 bits; AutoAWQ's 4/],
    ['bits in quotation marks', { bits: '4' }, /quantization_config\.bits is .*take the quotation marks away/],
    ['a group size that it has not', { group_size: 128 }, /no scales of a matrix .* in groups of 128, as quantization/],
  ])('AutoAWQ with %s is refused', async (_, change, message) => {
    const folder = await made('gemv_fast', ({ config }) => Object.assign(config, change))
    await expect(openPortable(folder)).rejects.toThrow(message)
  })
})
