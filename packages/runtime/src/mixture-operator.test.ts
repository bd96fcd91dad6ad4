import { createEngine, kernelsOf, type MixtureKernel } from '@awq/ort'
import type { QuantSpec } from '@awq/quantize'
import { AwqError } from '@awq/tensor'
import { afterAll, describe, expect, test } from 'vitest'
import { distance, mixtureLogits, mixtures, openMixture } from './fixtures/mixtures.ts'
import { mixesByOperator } from './mixture-operator.ts'

const engine = await createEngine({ threads: 1 })
afterAll(() => engine.dispose())

/** QMoE of the CPU, which is not the way there, but right. */
const exactKernel: MixtureKernel = {
  activations: ['float32', 'float16'],
  blockSizes: [16, 32, 64, 128],
  zeroPoints: true,
  rounds: false,
  widthsOf: 1,
  mostExperts: 64,
  oneToken: false,
}

const spec = (bits: QuantSpec['bits'], symmetric: boolean, groupSize = 16): QuantSpec => ({
  bits,
  groupSize,
  symmetric,
})

describe.each(Object.entries(mixtures))('%s by one operator', (_, changes) => {
  test.each([
    ['4 bits', spec(4, true)],
    ['4 bits with zero points', spec(4, false)],
    ['8 bits with zero points', spec(8, false)],
    ['3 bits', spec(3, false)],
    ['2 bits', spec(2, true)],
  ])('is as expert by expert: %s', async (__, of) => {
    const each = await openMixture({ engine, changes, spec: of, mixture: null })
    const whole = await openMixture({ engine, changes, spec: of, mixture: exactKernel })
    const centered = await openMixture({ engine, changes, spec: of, mixture: { ...exactKernel, zeroPoints: false } })
    const by = [each, whole, centered].map(({ source }) => mixesByOperator(source, source.description))
    expect(by).toEqual([false, true, of.symmetric || of.bits < 8])
    const expected = await mixtureLogits(each.model)
    expect(distance(await mixtureLogits(whole.model), expected)).toBeLessThan(1e-5)
    expect(distance(await mixtureLogits(centered.model), expected)).toBeLessThan(1e-5)
  })
})

describe('one operator for a mixture', () => {
  const { Mixtral: changes, 'gpt-oss, clamped and with biases': clamped } = mixtures
  const opened = (
    kernel: Partial<MixtureKernel>,
    { of = spec(4, true), more = {} }: { of?: QuantSpec; more?: Record<string, unknown> } = {},
  ) => openMixture({ engine, changes: { ...changes, ...more }, spec: of, mixture: { ...exactKernel, ...kernel } })
  const by = async (...given: Parameters<typeof opened>): Promise<boolean> => {
    const { source } = await opened(...given)
    return mixesByOperator(source, source.description)
  }

  test('is for what a kernel takes', async () => {
    expect(await by({})).toBe(true)
    expect(await by({ activations: ['float16'] })).toBe(false)
    expect(await by({ rounds: true })).toBe(false)
    expect(await by({ mostExperts: 4 })).toBe(false)
    expect(await by({ blockSizes: [32] })).toBe(false)
    expect(await by({ widthsOf: 64 })).toBe(false)
    // Three blocks of 32 in a row of 96: their zero points are no whole bytes.
    expect(await by({}, { of: spec(4, false, 32) })).toBe(false)
    expect(await by({ zeroPoints: false }, { of: spec(4, false, 32) })).toBe(true)
    // A row of 96 is padded to 128.
    expect(await by({}, { of: spec(4, true, 64) })).toBe(false)
    expect(await by({}, { more: { hidden_act: 'gelu' } })).toBe(false)
  })

  test('is not where something multiplies what the last linear reads', async () => {
    const { source } = await openMixture({ engine, changes: clamped, spec: spec(4, true), mixture: exactKernel })
    const { table, description } = source
    const scaled = {
      ...table,
      has: (name: string) => name.endsWith('.3.down_proj.input_scale.weight') || table.has(name),
    }
    expect(mixesByOperator(source, description)).toBe(true)
    expect(mixesByOperator({ ...source, table: scaled }, description)).toBe(false)
  })

  test('takes as many tokens as its kernel', async () => {
    const one = await opened({ oneToken: true })
    expect(one.model.tokensAtOnce()).toBe(1)
    expect((await opened({})).model.tokensAtOnce()).toBe(Number.POSITIVE_INFINITY)
    const each = await openMixture({ engine, changes, spec: spec(4, true), mixture: null })
    const [actual, expected] = [await mixtureLogits(one.model), await mixtureLogits(each.model)]
    expect(distance(actual, expected)).toBeLessThan(1e-5)
    await using session = await one.model.openDecoder({ attention: 'plain' })
    const { createConversation } = await import('./conversation.ts')
    const conversation = createConversation(session, one.source.description, { engine, attention: 'plain' })
    await expect(conversation.extend([1, 2], {})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  test('gives way to expert by expert where a runtime does not know it', async () => {
    const models: Uint8Array[] = []
    const older: typeof engine = {
      ...engine,
      async createSession(model, options) {
        models.push(model)
        if (new TextDecoder('latin1').decode(model).includes('QMoE')) throw new AwqError('ENGINE', 'no such operator')
        return engine.createSession(model, options)
      },
    }
    const { model } = await openMixture({ engine: older, changes, spec: spec(4, true), mixture: exactKernel })
    const each = await openMixture({ engine, changes, spec: spec(4, true), mixture: null })
    expect(distance(await mixtureLogits(model), await mixtureLogits(each.model))).toBe(0)
    expect(models.length).toBe(2)
  })

  test('is not the way on the CPU, and elsewhere where there is a kernel', () => {
    expect(kernelsOf('cpu').mixture).toBeNull()
    expect(kernelsOf('webgpu').mixture).toMatchObject({ oneToken: true, zeroPoints: false })
    expect(kernelsOf('cuda').mixture).toMatchObject({ oneToken: false, zeroPoints: true })
  })
})
