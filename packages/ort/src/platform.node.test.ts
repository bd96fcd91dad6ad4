import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Graph } from '@awq/onnx'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createEngine, type EngineOptions, tensor } from './index.ts'
import { shippedLibrary } from './native/locate-library.ts'
import { createPlatformEngine, type PlatformSources } from './platform.node.ts'

const missing = () => import('koffi-that-is-not-there' as string)
const broken = () => Promise.reject(new Error('no such binary'))
const unresolved = (): string => {
  throw new Error('not found')
}

const withoutNative: readonly [string, PlatformSources, RegExp][] = [
  ['koffi is missing', { loadKoffi: missing }, /koffi is not installed \(npm install koffi@3\)/],
  ['koffi does not load', { loadKoffi: broken }, /koffi did not load: no such binary/],
  ['the library is missing', { resolve: unresolved }, /onnxruntime-node, whose library it needs, is not installed/],
  ['the platform has no library', { resolve: () => '/nowhere/package.json' }, /onnxruntime-node has no library for/],
]

const cpu = { device: 'cpu' } as const

afterEach(() => vi.unstubAllEnvs())

describe('the engine of Node', () => {
  test('is the native one', async () => {
    expect((await createEngine()).name).toBe('native')
    expect((await createEngine({ engine: 'native' })).name).toBe('native')
  })

  test('is the one that is asked for', async () => {
    expect((await createEngine({ engine: 'onnxruntime-node' })).name).toBe('onnxruntime-node')
    expect((await createEngine({ engine: 'onnxruntime-web' })).name).toBe('onnxruntime-web')
    await expect(createEngine({ engine: 'onnxruntime-web', device: 'webgpu' })).rejects.toThrow(/on the CPU alone/)
  })

  test.each(withoutNative)('%s: onnxruntime-node takes over, with a warning', async (_, sources, message) => {
    const onWarning = vi.fn()
    const engine = await createPlatformEngine({ ...cpu, onWarning }, sources)
    expect(engine.name).toBe('onnxruntime-node')
    expect(onWarning).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(message))
    expect(onWarning).toHaveBeenCalledWith(expect.stringContaining('onnxruntime-node is used instead'))
    const graph = new Graph('neg')
    graph.output('y', graph.add('Neg', [graph.input('x', 'float32', [1])]))
    await using session = await engine.createSession(graph.toBytes())
    expect((await session.run({ x: tensor('float32', [1], Float32Array.of(2)) })).y!.data[0]).toBe(-2)
  })

  test.each(withoutNative)('%s: an error where the native engine is wanted', async (_, sources, message) => {
    const made = createPlatformEngine({ ...cpu, engine: 'native' }, sources)
    await expect(made).rejects.toMatchObject({ code: 'UNSUPPORTED', message: expect.stringMatching(message) })
  })

  test('warns the process once', async () => {
    const emitWarning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    for (let made = 0; made < 2; made += 1) await createPlatformEngine(cpu, { loadKoffi: missing })
    expect(emitWarning).toHaveBeenCalledTimes(1)
    emitWarning.mockRestore()
  })

  test.each(['coreml', 'directml'] as const)('%s needs the native engine', async (device) => {
    const made = createPlatformEngine({ device, onWarning: () => {} }, { loadKoffi: missing })
    await expect(made).rejects.toThrow(`device '${device}' needs the native engine`)
    await expect(createEngine({ device })).rejects.toThrow(`device '${device}' cannot be used`)
  })
})

describe('a chosen library', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'awq-library-'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  /** By the option, and by the environment. */
  const ways: readonly [string, RegExp, (path: string) => EngineOptions][] = [
    ['option', /the option library/, (path) => ({ library: path })],
    [
      'AWQ_ORT_LIBRARY',
      /the environment variable AWQ_ORT_LIBRARY/,
      (path) => {
        vi.stubEnv('AWQ_ORT_LIBRARY', path)
        return {}
      },
    ],
  ]

  test.each(ways)('%s: a file or its folder is loaded', async (_, __, choose) => {
    const shipped = shippedLibrary()
    expect((await createEngine(choose(shipped))).name).toBe('native')
    expect((await createEngine(choose(dirname(shipped)))).name).toBe('native')
  })

  test.each(ways)('%s: nothing else takes the place of one that is not there', async (_, source, choose) => {
    const made = createEngine(choose(join(directory, 'libonnxruntime.so')))
    await expect(made).rejects.toMatchObject({ code: 'UNSUPPORTED', message: expect.stringMatching(source) })
    await expect(createEngine(choose(directory))).rejects.toThrow(/where there is no ONNX Runtime library/)
  })

  test.each(ways)('%s: what is no library of ONNX Runtime is refused', async (_, __, choose) => {
    const path = join(directory, 'libonnxruntime.so')
    await writeFile(path, 'no library')
    await expect(createEngine(choose(path))).rejects.toThrow(/does not load: /)
  })

  test.runIf(process.platform === 'linux')('a library without the entry point is refused', async () => {
    const library = 'libc.so.6'
    const found = ['/lib/x86_64-linux-gnu', '/lib/aarch64-linux-gnu', '/lib64', '/usr/lib'].map((at) =>
      join(at, library),
    )
    const { existsSync } = await import('node:fs')
    const path = found.find((candidate) => existsSync(candidate))
    if (path === undefined) return
    await expect(createEngine({ library: path })).rejects.toThrow(/is not ONNX Runtime/)
  })
})
