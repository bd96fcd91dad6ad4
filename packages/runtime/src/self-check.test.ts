import type { AttentionForm } from '@awq/models'
import type { OpName } from '@awq/onnx'
import { createEngine, type Engine, kernelsOf, type MixtureKernel, type Session, type Tensor } from '@awq/ort'
import type { QuantSpec } from '@awq/quantize'
import { AwqError, type ByteSource, type Folder, memoryFolder } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chooseDecoder } from './decoder-choice.ts'
import { brokenEngine } from './fixtures/broken-engine.ts'
import { faultyOperator } from './fixtures/faulty-operator.ts'
import { mixtures, openMixture } from './fixtures/mixtures.ts'
import { packModel, tinyConfig } from './fixtures/tiny-model.ts'
import { type DecoderRequest, type OpenedModel, openModel } from './open-model.ts'
import { checkMixtures } from './self-check/mixture-check.ts'
import { quantizedKinds } from './self-check/quantized-kinds.ts'
import { selfCheck, WrongResults } from './self-check.ts'

let engine: Engine
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
})
afterAll(() => engine.dispose())

const spec = (bits: QuantSpec['bits'], groupSize: number, symmetric = false): QuantSpec => ({
  bits,
  groupSize,
  symmetric,
})
const head = (name: string) => /embed|lm_head/.test(name)
const packed = (bits: QuantSpec['bits'], groupSize: number, symmetric = false, changes: Record<string, unknown> = {}) =>
  packModel(tinyConfig(changes), (name) => spec(head(name) ? 8 : bits, groupSize, symmetric))

describe.each<[string, Parameters<typeof packed>]>([
  ['4 bits with zero points', [4, 32]],
  ['4 bits symmetric with biases', [4, 16, true, { attention_bias: true, mlp_bias: true }]],
  ['3 bits', [3, 64]],
  ['2 bits', [2, 32]],
  ['8 bits', [8, 32]],
])('%s', (_, given) => {
  it.each(['exact', 'fast'] as const)('%s products are as arithmetic has them', async (accuracy) => {
    const { files } = await packed(...given)
    await using model = await openModel(memoryFolder(files), engine, { accuracy })
    for (const dtype of ['float32', 'float16'] as const)
      for (const attention of ['plain', 'fused'] as const) await selfCheck(model, { attention, dtype })
  })
})

describe('mixtures of experts by one operator', () => {
  const { Mixtral, 'gpt-oss, clamped and with biases': clamped } = mixtures
  const kernel: MixtureKernel = { ...kernelsOf('webgpu').mixture!, rounds: false }
  it.each([
    ['4 bits with zero points, centered', Mixtral, spec(4, 16), kernel],
    ['4 bits with zero points', Mixtral, spec(4, 16), { ...kernel, zeroPoints: true, oneToken: false }],
    ['2 bits', Mixtral, spec(2, 16, true), kernel],
    ['8 bits, dealt, clamped, with biases', clamped, spec(8, 16, true), { ...kernel, oneToken: false }],
  ])('%s', async (_, changes, of, mixture) => {
    const { model } = await openMixture({ engine, changes, spec: of, mixture })
    expect(model.mixtures({}).length).toBeGreaterThan(0)
    for (const dtype of ['float32', 'float16'] as const) {
      expect(await checkMixtures(engine, model.folder, model.mixtures({ dtype }), dtype, undefined)).toBeUndefined()
    }
  })

  it('reads parts of a few experts', async () => {
    const changes = {
      ...Mixtral,
      hidden_size: 1024,
      intermediate_size: 1024,
      num_local_experts: 6,
      num_hidden_layers: 1,
    }
    const { model } = await openMixture({ engine, changes, spec: spec(4, 32, true), mixture: kernel })
    let read = 0
    const counting: Folder = {
      ...model.folder,
      open: async (file) => {
        const source = await model.folder.open(file)
        const counted: ByteSource['read'] = (offset, length) => {
          read += length
          return source.read(offset, length)
        }
        return { ...source, read: counted }
      },
    }
    expect(await checkMixtures(engine, counting, model.mixtures({}), 'float32', undefined)).toBeUndefined()
    // Half of the rows, of four experts of six.
    expect(read).toBe(4 * 3 * 512 * (1024 / 2 + (2 * 1024) / 32))
  })
})

it('tries each kind once, and the head and the table of a tied one', async () => {
  const { files } = await packed(4, 32)
  await using model = await openModel(memoryFolder(files), engine, { accuracy: 'fast' })
  const kinds = quantizedKinds(model.decoderGraph({ attention: 'plain' }))
  expect(kinds.map(({ op, storedBits, width, rows }) => [op, storedBits, width, rows])).toEqual([
    ['GatherBlockQuantized', 8, 96, 97],
    ['MatMulNBits', 4, 72, 128],
    ['MatMulNBits', 4, 64, 72],
    ['MatMulNBits', 4, 72, 144],
    ['MatMulNBits', 4, 104, 72],
    ['MatMulNBits', 8, 72, 97],
  ])
})

/** Changes one element of an output of a session that has it. */
const spoils = (name: string, change: (value: number) => number) => (results: Record<string, Tensor>) => {
  const data = results[name]?.data as Float32Array | undefined
  if (data) data[data.length - 1] = change(data[data.length - 1]!)
}
const isDecoder = (session: Session) => session.inputNames.includes('input_ids')

describe('a device that computes wrong', () => {
  it.each([
    [
      'one element of a product',
      spoils('y1', (value) => value + 1),
      /MatMulNBits of 4 bits in blocks of 32 with zero points/,
    ],
    ['not a number', spoils('y3', () => Number.NaN), /MatMulNBits/],
    ['the table', spoils('y0', (value) => value * 1.01 + 0.1), /GatherBlockQuantized of 8 bits/],
    ['attention', spoils('output', (value) => value + 0.1), /attention of 4 heads/],
  ])('is found out: %s', async (_, spoil, message) => {
    const { files } = await packed(4, 32)
    await using model = await openModel(memoryFolder(files), brokenEngine(engine, { spoil }))
    const outcome = await selfCheck(model, { attention: 'plain' }).catch((error: unknown) => error)
    expect(outcome).toBeInstanceOf(WrongResults)
    expect(AwqError.is(outcome) && outcome.code).toBe('NUMERIC')
    expect((outcome as Error).message).toMatch(message)
  })

  it('gets float32 activations where only float16 is wrong', async () => {
    const { files } = await packed(4, 32)
    const broken = brokenEngine(engine, {
      features: { ...engine.features, float16: true },
      spoil: (results, session) => {
        // The fixture's mark of float16: the cast of a result is named after it.
        if (halves && !isDecoder(session)) spoils('y1', () => 7)(results)
      },
      onSession: () => {
        sessions += 1
        halves = sessions === 1
      },
    })
    let sessions = 0
    let halves = false
    await using model = await openModel(memoryFolder(files), broken, { accuracy: 'fast' })
    const warnings: string[] = []
    const choice = await chooseDecoder(model, { onWarning: (message) => warnings.push(message) })
    expect(choice.dtype).toBe('float32')
    expect(warnings).toEqual([expect.stringContaining('Activations are float32 instead.')])
  })

  it('that can not compute something is as one that computes it wrong', async () => {
    const { files } = await packed(4, 32)
    const spoil = () => {
      throw new AwqError('ENGINE', 'no kernel')
    }
    await using model = await openModel(memoryFolder(files), brokenEngine(engine, { spoil }))
    await expect(chooseDecoder(model, {})).rejects.toBeInstanceOf(WrongResults)
    await expect(chooseDecoder(model, { selfCheck: 'off' })).resolves.toMatchObject({ attention: 'plain' })
  })
})

const bloom = {
  model_type: 'bloom',
  n_head: 4,
  n_layer: 2,
  seq_length: 64,
  layer_norm_epsilon: 1e-5,
  head_dim: undefined,
  num_key_value_heads: 4,
}

describe('one operator that gives wrong rows', () => {
  const checked = async (op: OpName, request: DecoderRequest, model: OpenedModel): Promise<unknown> => {
    await selfCheck(model, request)
    const mend = faultyOperator(op)
    try {
      return await selfCheck(model, request).then(
        () => 'not found out',
        (error: unknown) => (error as Error).message,
      )
    } finally {
      mend()
    }
  }

  it.each<[OpName, AttentionForm, Record<string, unknown>, RegExp]>([
    ['MatMulNBits', 'plain', {}, /MatMulNBits of 4 bits/],
    ['GatherBlockQuantized', 'plain', {}, /GatherBlockQuantized of 8 bits/],
    ['GroupQueryAttention', 'fused', {}, /fused attention/],
    ['Softmax', 'plain', {}, /plain attention/],
    ['RotaryEmbedding', 'plain', {}, /plain attention/],
    ['MatMul', 'plain', bloom, /plain attention of 4 heads.*linear biases/],
    ['SimplifiedLayerNormalization', 'plain', {}, /rms norm of/],
    ['SkipSimplifiedLayerNormalization', 'plain', {}, /rms norm of a sum/],
    ['LayerNormalization', 'plain', bloom, /layer norm of/],
    ['SkipLayerNormalization', 'plain', bloom, /layer norm of a sum/],
  ])('is found out: %s in the %s form', async (op, attention, changes, message) => {
    const { files } = await packed(4, 32, false, changes)
    await using model = await openModel(memoryFolder(files), brokenEngine(engine, {}), { accuracy: 'fast' })
    expect(await checked(op, { attention }, model)).toMatch(message)
  })

  it('is found out: QMoE', async () => {
    const mixture = kernelsOf('webgpu').mixture
    const given = { engine: brokenEngine(engine, {}), changes: mixtures.Mixtral, spec: spec(4, 16), mixture }
    const { model } = await openMixture({ ...given, accuracy: 'fast' })
    expect(await checked('QMoE', { attention: 'plain' }, model)).toMatch(
      /QMoE of 4 bits in blocks of 16 with zero points/,
    )
  })
})

describe('a device with small buffers', () => {
  it('is refused by the name of the tensor, before any weight is read', async () => {
    const { files } = await packed(4, 32)
    const read: number[] = []
    const inner = memoryFolder(files)
    const folder: typeof inner = {
      ...inner,
      open: async (file) => {
        const source = await inner.open(file)
        return {
          ...source,
          read: (offset, length, options) => {
            read.push(length)
            return source.read(offset, length, options)
          },
        }
      },
    }
    const limits = { bufferBytes: 2 ** 20, bindingBytes: 6000 }
    await using model = await openModel(folder, brokenEngine(engine, { limits }))
    const before = read.length
    await expect(chooseDecoder(model, {})).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringMatching(
        /^model\.layers\.0\.mlp\.gate_proj\S* takes 1 MB as uint8, but a buffer of this device/,
      ),
    })
    await expect(model.openDecoder({ attention: 'plain' })).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect(read).toHaveLength(before)
  })
})

it('downloads before it tries rows of a file that its server sends only whole', async () => {
  const { files } = await packed(4, 32)
  const inner = memoryFolder(files)
  const done: string[] = []
  const folder: typeof inner = {
    ...inner,
    open: async (file) => ({
      ...(await inner.open(file)),
      wholeOnly: true,
      download: async ({ onProgress } = {}) => {
        onProgress?.(1)
        done.push(file)
      },
    }),
  }
  await using model = await openModel(folder, brokenEngine(engine, {}))
  await chooseDecoder(model, { onProgress: ({ stage }) => done.push(stage) })
  expect(done).toEqual(['download', 'model.safetensors', 'check'])
})
