import { describe, expect, test } from 'vitest'
import { describeConformance } from '../test/conformance.ts'
import { createEngine } from './index.ts'

describeConformance('onnxruntime-web on WebAssembly', () => createEngine({ worker: false }))
describeConformance('onnxruntime-web on WebAssembly in a Worker', () => createEngine())

// The software adapter has no shader-f16.
describeConformance('onnxruntime-web on WebGPU', () => createEngine({ device: 'webgpu', worker: false }), {
  without: ['float16'],
})
describeConformance('onnxruntime-web on WebGPU in a Worker', () => createEngine({ device: 'webgpu' }), {
  without: ['float16'],
  queuesKernels: true,
})

/** Makes an engine as a browser does whose WebAssembly has no promises of its own. */
async function withoutPromises<T>(make: () => Promise<T>): Promise<T> {
  const { Suspending } = WebAssembly as unknown as Record<string, unknown>
  delete (WebAssembly as unknown as Record<string, unknown>).Suspending
  try {
    return await make()
  } finally {
    Object.assign(WebAssembly, { Suspending })
  }
}

describeConformance(
  'onnxruntime-web on WebGPU, rewritten for waiting',
  () => withoutPromises(() => createEngine({ device: 'webgpu', worker: false })),
  { without: ['float16'], endsOnFailure: true, apart: true },
)

describe('createEngine in a browser', () => {
  test('is onnxruntime-web, with threads on an isolated page', async () => {
    const engine = await createEngine()
    expect(engine.name).toBe('onnxruntime-web')
    expect(engine.features).toMatchObject({ asyncRun: true, deviceTensors: true, inPlaceOutputs: true })
    expect(globalThis.crossOriginIsolated).toBe(true)
    expect(engine.threads).toBe(navigator.hardwareConcurrency)
  })

  test('there is no native engine', async () => {
    await expect(createEngine({ engine: 'native' })).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })

  test('there is no CUDA', async () => {
    await expect(createEngine({ device: 'cuda' })).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })

  test('files and profiles are refused', async () => {
    const engine = await createEngine()
    const options = [{ externalDirectory: '/tmp' }, { profile: 'trace' }]
    for (const option of options) {
      await expect(engine.createSession(new Uint8Array(), option)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    }
  })
})
