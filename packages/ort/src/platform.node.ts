import { AwqError, messageOf } from '@awq/tensor'
import { createNativeEngine, loadRuntime, type NativeSources } from './native/create-native-engine.ts'
import { chosenLibrary } from './native/locate-library.ts'
import type { Runtime } from './native/runtime.ts'
import { createNodeBindingEngine, type Importer } from './node-binding.ts'
import type { Device, Engine, EngineOptions } from './types.ts'
import { createWebEngineInNode } from './web/node-engine.ts'

const advice: Readonly<Record<Device, string>> = {
  cpu: '',
  cuda:
    'It needs Linux or Windows on x64, an NVIDIA driver, CUDA and cuDNN 9 on the library path, and ONNX Runtime with ' +
    "its CUDA provider: onnxruntime-node installed by its install script ('npm rebuild onnxruntime-node'), or another " +
    "build named by AWQ_ORT_LIBRARY. Or use device 'cpu'.",
  webgpu: "It needs a GPU with a Vulkan, Metal or Direct3D 12 driver. Or use device 'cpu'.",
  coreml: "It needs macOS. Or use device 'cpu'.",
  directml: "It needs Windows and a GPU with Direct3D 12. Or use device 'cpu'.",
}

/** How packages that may be missing are loaded; replaced in tests. */
export interface PlatformSources extends NativeSources {
  readonly loadBinding?: Importer
}

const warned = new Set<string>()

/** Tells the caller, or once in the process whoever reads its warnings. */
function warn(options: EngineOptions, message: string): void {
  if (options.onWarning) {
    options.onWarning(message)
  } else if (!warned.has(message)) {
    warned.add(message)
    process.emitWarning(message, { code: 'AWQ_ENGINE' })
  }
}

/**
 * The native runtime; undefined, with a warning, where the caller has not insisted on it and it cannot be had. Whoever
 * names a library insists.
 */
async function tryRuntime(options: EngineOptions, sources: NativeSources): Promise<Runtime | undefined> {
  if (options.engine === 'onnxruntime-node') return undefined
  try {
    return await loadRuntime(options, sources)
  } catch (error) {
    const reason = `the native engine cannot be used: ${messageOf(error)}`
    if (options.engine === 'native' || chosenLibrary(options.library)) {
      throw new AwqError('UNSUPPORTED', reason, { cause: error })
    }
    warn(options, `${reason}. onnxruntime-node is used instead: slower, and its runs block the event loop`)
    return undefined
  }
}

/** The engine of Node: the native one, or onnxruntime-node where the native one cannot be had, or the one that is asked for. */
export async function createPlatformEngine(
  options: EngineOptions & { readonly device: Device },
  sources: PlatformSources = {},
): Promise<Engine> {
  if (options.engine === 'onnxruntime-web') return createWebEngineInNode(options)
  const runtime = await tryRuntime(options, sources)
  if (runtime) return createNativeEngine(runtime, options, advice[options.device])
  return createNodeBindingEngine(options, advice[options.device], sources.loadBinding)
}
