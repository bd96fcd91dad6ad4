import { createEngine, type Engine, type Session, type Tensor } from '@awq/ort'
import type { QuantSpec } from '@awq/quantize'
import { AwqError, memoryFolder } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chooseDecoder } from './decoder-choice.ts'
import { brokenEngine } from './fixtures/broken-engine.ts'
import { packModel, tinyConfig } from './fixtures/tiny-model.ts'
import { openModel } from './open-model.ts'
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
