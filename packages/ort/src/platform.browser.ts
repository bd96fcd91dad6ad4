import { AwqError, messageOf } from '@awq/tensor'
import { makeEngine } from './engine.ts'
import { canWaitForBlobs } from './external-data.ts'
import { requireProvider } from './probe.ts'
import type { RuntimeApi } from './runtime-api.ts'
import { createTurns, type Turns } from './turns.ts'
import type { Device, Engine, EngineOptions } from './types.ts'

/** The two bundles: plain WebAssembly (14 MB), and the one with ONNX Runtime's own WebGPU provider (27 MB). */
const bundles = {
  cpu: () => import('onnxruntime-web/wasm'),
  webgpu: () => import('onnxruntime-web/webgpu'),
}

const queues = new WeakMap<RuntimeApi, Turns>()

/**
 * The queue of everything that is done in a bundle's WebAssembly module. onnxruntime-web 1.30 keeps a run's lists on the
 * module's stack while it waits, and external data under its names in one table: runs and loads of any two sessions that
 * overlap would read each other's.
 */
function turnsOf(api: RuntimeApi): Turns {
  const turns = queues.get(api) ?? createTurns()
  queues.set(api, turns)
  return turns
}

/** WebAssembly threads share memory, which browsers allow on cross-origin isolated pages only. */
const availableThreads = (): number =>
  globalThis.crossOriginIsolated ? (globalThis.navigator.hardwareConcurrency ?? 1) : 1

/** The engine of browsers: onnxruntime-web. */
export async function createPlatformEngine(options: EngineOptions & { readonly device: Device }): Promise<Engine> {
  const { device, engine = 'onnxruntime-web' } = options
  if (engine !== 'onnxruntime-web') {
    throw new AwqError('UNSUPPORTED', `engine '${engine}' needs Node: browsers have onnxruntime-web`)
  }
  if (device !== 'cpu' && device !== 'webgpu') {
    throw new AwqError('UNSUPPORTED', `device '${device}' does not exist in browsers: use 'webgpu' or 'cpu'`)
  }
  let api: RuntimeApi
  try {
    api = (await bundles[device]()) as unknown as RuntimeApi
  } catch (error) {
    throw new AwqError('UNSUPPORTED', `onnxruntime-web did not load: ${messageOf(error)}`, { cause: error })
  }
  const threads = Math.min(options.threads ?? availableThreads(), availableThreads())
  api.env.logLevel = 'fatal'
  if (api.env.wasm) {
    api.env.wasm.numThreads = threads
    if (options.wasmPaths !== undefined) api.env.wasm.wasmPaths = options.wasmPaths
  }
  const provider = device === 'cpu' ? 'wasm' : 'webgpu'
  if (device === 'webgpu') {
    const advice = "The browser has no usable WebGPU adapter; use device 'cpu' (WebAssembly)"
    await requireProvider(api, device, provider, advice)
  }
  return makeEngine(api, {
    name: 'onnxruntime-web',
    device,
    provider,
    threads,
    // onnxruntime-web 1.30 on WebGPU: the next run of a session whose run failed never returns and blocks the page.
    turns: turnsOf(api),
    readsLate: canWaitForBlobs(),
    survivesFailure: device === 'cpu',
    features: { inPlaceOutputs: false, asyncRun: false, deviceTensors: false, externalFiles: false, float16: true },
  })
}
