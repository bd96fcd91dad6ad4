import { Graph } from '@awq/onnx'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cacheGraphCase } from '../../test/cache-graph-case.ts'
import { describeConformance } from '../../test/conformance.ts'
import { useSoftwareGpu, withoutSoftwareGpu } from '../../test/software-gpu.ts'
import { createEngine, type Engine, tensor } from '../index.ts'

const make = async (): Promise<Engine> => {
  await useSoftwareGpu()
  return createEngine({ device: 'webgpu', engine: 'native', threads: 2 })
}

/** y = x + x */
const doubleGraph = (): Uint8Array => {
  const graph = new Graph('double')
  const x = graph.input('x', 'float32', ['rows', 2])
  graph.output('y', graph.add('Add', [x, x]))
  return graph.toBytes()
}

const pair = (...data: number[]) => tensor('float32', [data.length / 2, 2], Float32Array.from(data))

if (withoutSoftwareGpu !== undefined) {
  describe('the native engine on WebGPU', () => {
    test.skip(`skipped: ${withoutSoftwareGpu}`, () => {})
  })
} else {
  describeConformance('the native engine on WebGPU', make, { queuesKernels: true })

  describe('tensors of the device', () => {
    let engine: Engine
    beforeAll(async () => {
      engine = await make()
    }, 60_000)
    afterAll(() => engine.dispose())

    test('are on the device', () => {
      expect(engine.features).toMatchObject({ deviceTensors: true, inPlaceOutputs: true })
      const x = engine.upload(pair(1, 2))
      expect(x.location).toBe('device')
      x.dispose()
    })

    test('are written by runs and read by others, in whatever order they are asked for', async () => {
      await using session = await engine.createSession(doubleGraph())
      const x = engine.upload(pair(1, 2))
      const y = engine.allocate('float32', [1, 2])
      const results = await Promise.all([
        session.run({ x }, { into: { y } }),
        session.run({ x: y }),
        y.read(),
        engine.upload(pair(5, 6)).read(),
      ])
      expect(results).toEqual([{}, { y: pair(4, 8) }, pair(2, 4), pair(5, 6)])
      x.dispose()
      y.dispose()
    })

    test('may be both read and written by a bound run', async () => {
      await using session = await engine.createSession(doubleGraph())
      const x = engine.upload(pair(1, 3))
      const bound = session.bind({ x }, { into: { y: x } })
      for (let run = 0; run < 10; run += 1) expect(await bound.run()).toEqual({})
      expect(await x.read()).toEqual(pair(1024, 3072))
      bound.dispose()
      x.dispose()
    })

    test('serve the sessions of several engines, and end with their own', async () => {
      const other = await make()
      await using session = await engine.createSession(doubleGraph())
      const foreign = other.upload(pair(1, 2))
      await expect(session.run({ x: foreign })).rejects.toThrow('another engine')
      await other.dispose()
      await expect(foreign.read()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      expect((await session.run({ x: pair(1, 2) })).y).toEqual(pair(2, 4))
    })

    test('disposed while a run reads them stay until it ends', async () => {
      await using session = await engine.createSession(doubleGraph())
      const x = engine.upload(pair(1, 2))
      await x.read()
      const run = session.run({ x })
      x.dispose()
      expect((await run).y).toEqual(pair(2, 4))
    })

    test('have room for no elements', async () => {
      await using session = await engine.createSession(doubleGraph())
      const x = engine.upload(tensor('float32', [0, 2], new Float32Array(0)))
      expect(await x.read()).toMatchObject({ shape: [0, 2] })
      expect((await session.run({ x })).y).toMatchObject({ shape: [0, 2] })
    })

    test.each([
      ['a bad shape', () => engine.allocate('float32', [-1])],
      ['an unknown dtype', () => engine.allocate('float33' as never, [1])],
    ])('refuse %s', (_, allocate) => {
      expect(allocate).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    })

    test('too large for the device fail in the run that needs them', async () => {
      await using session = await engine.createSession(doubleGraph())
      const huge = engine.allocate('float32', [2 ** 31, 2])
      await expect(session.run({ x: huge })).rejects.toMatchObject({ code: 'ENGINE' })
      expect((await session.run({ x: pair(1, 2) })).y).toEqual(pair(2, 4))
      huge.dispose()
    })

    test('keep the cache of attention: 20 steps equal those of the CPU', async () => {
      const steps = cacheGraphCase()
      const cpu = await createEngine({ threads: 2 })
      const onCpu = await steps.run(cpu)
      await cpu.dispose()
      const onDevice = await steps.run(engine)
      expect(onDevice.outputs).toHaveLength(21)
      for (const [step, values] of onDevice.outputs.entries()) {
        const expected = onCpu.outputs[step]!
        expect(values).toHaveLength(expected.length)
        const worst = Math.max(...values.map((value, index) => Math.abs(value - expected[index]!)))
        expect(worst).toBeLessThan(1e-5)
      }
      const worst = Math.max(...onDevice.keys.map((value, index) => Math.abs(value - onCpu.keys[index]!)))
      expect(worst).toBeLessThan(1e-5)
    })
  })
}
