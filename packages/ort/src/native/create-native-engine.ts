import { availableParallelism } from 'node:os'
import { AwqError, messageOf } from '@awq/tensor'
import type { Device, Engine, EngineOptions } from '../types.ts'
import { requireDevice } from './device.ts'
import { deviceTurns } from './device-turns.ts'
import { makeNativeEngine } from './engine.ts'
import { chosenLibrary, chosenLibraryPath, type Resolve, shippedLibrary } from './locate-library.ts'
import type { Koffi } from './native-types.ts'
import { openRuntime, type Runtime } from './runtime.ts'
import { loadRuntimeLibrary } from './runtime-library.ts'
import type { EngineSettings } from './session-options.ts'
import { cpuTensorStore } from './tensor-store.ts'

/** How the parts that may be missing are found; replaced in tests. */
export interface NativeSources {
  readonly loadKoffi?: () => Promise<unknown>
  readonly resolve?: Resolve
}

/** Bytes. The compilers of graphs and shaders recurse: they overflow koffi's 128 KiB, which ends the process. */
const asyncStackSize = 8 * 2 ** 20

/** Gives calls on other threads a stack of the usual size. */
function withLargeStacks(koffi: Koffi): Koffi {
  if (koffi.config().async_stack_size < asyncStackSize) koffi.config({ async_stack_size: asyncStackSize })
  return koffi
}

async function importKoffi(load: () => Promise<unknown>): Promise<Koffi> {
  try {
    const module = (await load()) as { default?: Koffi } & Koffi
    return withLargeStacks(module.default ?? module)
  } catch (error) {
    const missing = (error as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND'
    const what = missing ? 'koffi is not installed (npm install koffi@3)' : `koffi did not load: ${messageOf(error)}`
    throw new AwqError('UNSUPPORTED', what, { cause: error })
  }
}

/**
 * Loads koffi and ONNX Runtime's library: the one chosen by option or environment, else the one of onnxruntime-node.
 * @throws AwqError `UNSUPPORTED` with what is missing
 */
export async function loadRuntime(options: EngineOptions, sources: NativeSources = {}): Promise<Runtime> {
  const koffi = await importKoffi(sources.loadKoffi ?? (() => import('koffi')))
  const chosen = chosenLibrary(options.library)
  const path = chosen ? chosenLibraryPath(chosen) : shippedLibrary(sources.resolve)
  return openRuntime(loadRuntimeLibrary(koffi, path))
}

/**
 * The native engine over a loaded runtime, which it takes over.
 * @throws AwqError `UNSUPPORTED` with `advice` when the device cannot be had
 */
export async function createNativeEngine(
  runtime: Runtime,
  options: EngineOptions & { readonly device: Device },
  advice: string,
): Promise<Engine> {
  const settings: EngineSettings = {
    device: options.device,
    threads: options.threads ?? availableParallelism(),
    spin: options.spin ?? true,
    providerOptions: options.providerOptions ?? {},
  }
  try {
    if (settings.device === 'cpu') return makeNativeEngine(runtime, settings, cpuTensorStore(runtime), undefined)
    const turns = deviceTurns(runtime, settings.device)
    return makeNativeEngine(runtime, settings, await requireDevice(runtime, settings, advice, turns), turns)
  } catch (error) {
    runtime.release()
    throw error
  }
}
