import { AwqError } from '@awq/tensor'
import { engineLife } from '../engine-life.ts'
import { canWaitForBlobs, lazyExternalData, readExternalData } from '../external-data.ts'
import { checkProbe, probeInput, unusableDevice } from '../probe.ts'
import type { Device, Engine, SessionOptions } from '../types.ts'
import { type GpuDevice, openGpuDevice } from './gpu-device.ts'
import { gpuStore } from './gpu-store.ts'
import { heapStore } from './heap-store.ts'
import { loadSession } from './load-session.ts'
import { makeRunOptions, type WebRunOptions } from './run-options.ts'
import { type ModuleFiles, sharedRuntime, startGpu, type WebRuntime } from './runtime.ts'
import { type WebSession, wrapWebSession } from './session.ts'
import { heapOf } from './wasm-module.ts'

/** The devices of onnxruntime-web. */
export type WebDevice = Extract<Device, 'cpu' | 'webgpu'>

/** Throws `UNSUPPORTED` for options that need a file system. */
export function refuseFiles(options: SessionOptions): void {
  if (options.externalDirectory !== undefined) {
    throw new AwqError('UNSUPPORTED', 'onnxruntime-web reads no files: give the external data in externalData')
  }
  if (options.profile !== undefined) throw new AwqError('UNSUPPORTED', 'onnxruntime-web writes no profile')
}

/** An engine over a module of onnxruntime-web, and its way to load a graph that the device must compute alone. */
interface MadeEngine {
  readonly engine: Engine
  open(model: Uint8Array, options: SessionOptions, required: boolean): Promise<WebSession>
}

/** Makes an engine, which ends when it and all its sessions are disposed. */
function makeWebEngine(
  runtime: WebRuntime,
  device: WebDevice,
  gpu: GpuDevice | undefined,
  runOptions: WebRunOptions,
): MadeEngine {
  const { module, turns, health, threads } = runtime
  const store = gpu ? gpuStore(runtime, gpu) : heapStore(runtime)
  let pieceBytes = 0
  const life = engineLife(() => {
    void turns.take(() => {
      if (!health.failure) {
        store.dispose()
        runOptions.release()
      }
      gpu?.dispose()
    })
  })
  const checkAlive = () => {
    life.check()
    health.check()
  }

  /** The external data as it is mounted, how much of it was held, and why it could not be read. */
  const mountable = async ({ externalData = {}, signal }: SessionOptions) => {
    if (canWaitForBlobs()) return lazyExternalData(externalData)
    const data = await readExternalData(externalData, signal)
    const bytes = Object.entries(data).map(([name, { length }]) => (externalData[name] instanceof Blob ? length : 0))
    return { data, largest: () => bytes.reduce((sum, length) => sum + length, 0), failure: () => undefined }
  }

  const load = async (model: Uint8Array, options: SessionOptions, required: boolean) => {
    options.signal?.throwIfAborted()
    health.check()
    const external = await mountable(options)
    try {
      const loaded = await loadSession(runtime, { model, options, externalData: external.data, gpu, required })
      gpu?.takeError()
      return loaded
    } catch (error) {
      throw external.failure() ?? error
    } finally {
      pieceBytes = Math.max(pieceBytes, external.largest())
    }
  }

  const open: MadeEngine['open'] = async (model, options, required) => {
    checkAlive()
    options.signal?.throwIfAborted()
    refuseFiles(options)
    life.began()
    let session: WebSession
    try {
      const loaded = await turns.take(() => load(model, options, required))
      session = wrapWebSession({ runtime, loaded, store, gpu, runOptions, onEnd: life.ended })
    } catch (error) {
      life.ended()
      throw error
    }
    if (options.signal?.aborted) await session.dispose()
    options.signal?.throwIfAborted()
    return session
  }

  const engine: Engine = {
    name: 'onnxruntime-web',
    device,
    threads,
    features: {
      inPlaceOutputs: true,
      asyncRun: false,
      deviceTensors: true,
      externalFiles: false,
      float16: gpu?.float16 ?? true,
    },
    limits: gpu?.limits,
    async memory() {
      return { heapBytes: heapOf(module).length, pieceBytes }
    },
    createSession: (model, options = {}) => open(model, options, false),
    upload(value) {
      checkAlive()
      return store.upload(value)
    },
    allocate(dtype, shape) {
      checkAlive()
      return store.allocate(dtype, shape)
    },
    dispose: () => life.dispose(engine),
  }
  return { engine, open }
}

/** Makes sure that WebGPU really computes: ONNX Runtime goes on with the CPU where it does not. */
async function probe({ open }: MadeEngine, graph: Uint8Array): Promise<void> {
  await using session = await open(graph, {}, true)
  const { y } = await session.run({ x: probeInput })
  checkProbe(y!.data as Float32Array)
}

/** What an engine is made with. */
export interface WebEngineRequest {
  readonly device: WebDevice
  readonly threads: number
  readonly files: ModuleFiles
  /** The graph of `probeGraph`, given so that a Worker need not know how graphs are made. */
  readonly probe: Uint8Array
}

/** An engine, and what those need who drive it from another thread. */
export interface WebEngine extends MadeEngine {
  readonly runtime: WebRuntime
  readonly runOptions: WebRunOptions
}

/**
 * Makes an engine in this thread.
 * @throws AwqError `UNSUPPORTED` when onnxruntime-web's files cannot be loaded, or there is no WebGPU that computes
 */
export async function createWebEngine({ device, threads, files, probe: graph }: WebEngineRequest): Promise<WebEngine> {
  const runtime = await sharedRuntime(files, threads)
  const runOptions = makeRunOptions(runtime.module)
  if (device === 'cpu') {
    return { ...makeWebEngine(runtime, device, undefined, runOptions), runtime, runOptions }
  }
  let gpu: GpuDevice | undefined
  try {
    gpu = await openGpuDevice(runtime.health)
    startGpu(runtime.module)
    const made = makeWebEngine(runtime, device, gpu, runOptions)
    await probe(made, graph)
    return { ...made, runtime, runOptions }
  } catch (error) {
    gpu?.dispose()
    throw unusableDevice(device, error, "Use device 'cpu' (WebAssembly)")
  }
}
