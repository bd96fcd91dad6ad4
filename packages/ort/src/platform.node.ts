import { availableParallelism } from 'node:os'
import { AwqError, messageOf } from '@awq/tensor'
import { makeEngine } from './engine.ts'
import { requireProvider } from './probe.ts'
import type { RuntimeApi } from './runtime-api.ts'
import type { Device, Engine, EngineOptions } from './types.ts'

const version = '1.30.0'

const advice: Readonly<Record<Device, string>> = {
  cpu: '',
  cuda:
    'It needs Linux or Windows on x64, an NVIDIA driver, CUDA 12 and cuDNN 9 on the library path, and onnxruntime-node ' +
    "installed with its CUDA libraries (run its install script: 'npm rebuild onnxruntime-node'). Or use device 'cpu'.",
  webgpu: "It needs a GPU with a Vulkan, Metal or Direct3D 12 driver. Or use device 'cpu'.",
  coreml: "It needs macOS. Or use device 'cpu'.",
  directml: "It needs Windows and a GPU with Direct3D 12. Or use device 'cpu'.",
}

type Importer = () => Promise<unknown>

async function importRuntime(load: Importer): Promise<RuntimeApi> {
  try {
    const module = (await load()) as RuntimeApi & { default?: RuntimeApi }
    return module.InferenceSession ? module : (module.default as RuntimeApi)
  } catch (error) {
    const missing = (error as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND'
    const what = missing ? 'onnxruntime-node is not installed' : `onnxruntime-node did not load (${messageOf(error)})`
    const how = missing
      ? `Install it: npm install onnxruntime-node@${version} (where only the npm registry can be reached: with ONNXRUNTIME_NODE_INSTALL=skip in the environment)`
      : `It has binaries for Linux and Windows (x64, arm64) and macOS (arm64); this is ${process.platform}-${process.arch}. Reinstall it: npm install onnxruntime-node@${version}`
    throw new AwqError('UNSUPPORTED', `${what}. ${how}`, { cause: error })
  }
}

/** The engine of Node: onnxruntime-node. `load` imports the package and is a parameter for tests of its absence. */
export async function createPlatformEngine(
  options: EngineOptions & { readonly device: Device },
  load: Importer = () => import('onnxruntime-node'),
): Promise<Engine> {
  const { device, threads = availableParallelism() } = options
  const api = await importRuntime(load)
  // The library's own logger starts at warnings, e.g. of devices that it looked for; failures reach us as exceptions.
  if (api.env.logLevel === undefined || api.env.logLevel === 'warning') api.env.logLevel = 'fatal'
  if (device !== 'cpu') await requireProvider(api, device, device, advice[device])
  return makeEngine(api, {
    name: 'onnxruntime-node',
    device,
    provider: device,
    threads,
    features: { inPlaceOutputs: false, asyncRun: false, deviceTensors: false, externalFiles: true },
  })
}
