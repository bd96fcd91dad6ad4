import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Graph } from '@awq/onnx'
import { AwqError } from '@awq/tensor'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { describeConformance } from '../test/conformance.ts'
import { createEngine, tensor } from './index.ts'
import { createPlatformEngine } from './platform.node.ts'

describeConformance('native on the CPU', () => createEngine({ engine: 'native' }))
describeConformance('onnxruntime-web in Node', () => createEngine({ engine: 'onnxruntime-web' }))
describeConformance('onnxruntime-node on the CPU', () => createEngine({ engine: 'onnxruntime-node' }))

describe('createEngine', () => {
  test('takes the parallelism available to the process unless told otherwise', async () => {
    expect((await createEngine()).threads).toBe(availableParallelism())
    expect((await createEngine({ threads: 1 })).threads).toBe(1)
  })

  test.each([0, -1, 1.5, Number.NaN, 1e9])('refuses %d threads', async (threads) => {
    await expect(createEngine({ threads })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  test('refuses an unknown device', async () => {
    await expect(createEngine({ device: 'tpu' as never })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  test('refuses an unknown engine', async () => {
    await expect(createEngine({ engine: 'tflite' as never })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  test('without onnxruntime-node says how to install it', async () => {
    const load = () => import('onnxruntime-node-that-is-not-there' as string)
    const error = await createPlatformEngine(
      { device: 'cpu', engine: 'onnxruntime-node' },
      { loadBinding: load },
    ).catch((reason: unknown) => reason)
    expect(AwqError.is(error) && error.message).toContain('npm install onnxruntime-node@1.30.0')
  })

  test('an onnxruntime-node that does not load says why', async () => {
    const load = () => Promise.reject(new Error('no such binding'))
    await expect(
      createPlatformEngine({ device: 'cpu', engine: 'onnxruntime-node' }, { loadBinding: load }),
    ).rejects.toThrow(/did not load \(no such binding\)/)
  })

  test.each(['cuda', 'webgpu'] as const)(
    '%s is had, or refused with the reason: never the CPU instead',
    async (device) => {
      const made = await createEngine({ device }).catch((reason: unknown) => reason)
      if (AwqError.is(made)) {
        expect(made.code).toBe('UNSUPPORTED')
        expect(made.message).toMatch(
          new RegExp(`^device '${device}' cannot be used: .+ It needs .+ use device 'cpu'`, 's'),
        )
      } else {
        expect(made).toMatchObject({ device })
      }
    },
  )

  test('after dispose an engine makes nothing more', async () => {
    const engine = await createEngine()
    await engine.dispose()
    await expect(engine.createSession(new Uint8Array())).rejects.toThrow('disposed')
    expect(() => engine.upload(tensor('float32', [], Float32Array.of(1)))).toThrow('disposed')
  })
})

describe('files', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'awq-ort-'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  const externalGraph = (file: string): Uint8Array => {
    const graph = new Graph('external')
    const w = graph.external('w', 'float32', [2], { file, offset: 4, length: 8 })
    graph.output('y', graph.add('Add', [graph.input('x', 'float32', [2]), w]))
    return graph.toBytes()
  }
  const weights = new Uint8Array(Float32Array.of(9, 10, 20).buffer)
  const x = tensor('float32', [2], Float32Array.of(1, 2))

  test('external data is read from the given folder', async () => {
    await writeFile(join(directory, 'w.bin'), weights)
    const engine = await createEngine()
    await using session = await engine.createSession(externalGraph('w.bin'), { externalDirectory: directory })
    expect((await session.run({ x })).y).toEqual(tensor('float32', [2], Float32Array.of(11, 22)))
  })

  test('a missing, a short and a linked file are errors', async () => {
    const engine = await createEngine()
    const load = () => engine.createSession(externalGraph('w.bin'), { externalDirectory: directory })
    await expect(load()).rejects.toMatchObject({ code: 'ENGINE' })
    await writeFile(join(directory, 'w.bin'), weights.subarray(0, 8))
    await expect(load()).rejects.toMatchObject({ code: 'ENGINE' })
    await rm(join(directory, 'w.bin'))
    const outside = await mkdtemp(join(tmpdir(), 'awq-ort-outside-'))
    await writeFile(join(outside, 'w.bin'), weights)
    await symlink(join(outside, 'w.bin'), join(directory, 'w.bin'))
    await expect(load()).rejects.toMatchObject({ code: 'ENGINE' })
    await rm(outside, { recursive: true })
  })

  test('a profile is written when the session ends', async () => {
    const engine = await createEngine()
    await writeFile(join(directory, 'w.bin'), weights)
    const session = await engine.createSession(externalGraph('w.bin'), {
      externalDirectory: directory,
      profile: join(directory, 'trace'),
    })
    await session.run({ x })
    await session.dispose()
    expect((await readdir(directory)).filter((file) => /^trace.*\.json$/.test(file))).toHaveLength(1)
  })

  test('optimize: false runs the graph as written', async () => {
    const engine = await createEngine()
    const graph = new Graph('relu')
    graph.output('y', graph.add('Relu', [graph.add('Identity', [graph.input('x', 'float32', [2])])]))
    await using session = await engine.createSession(graph.toBytes(), { optimize: false })
    expect((await session.run({ x })).y).toEqual(x)
  })
})
