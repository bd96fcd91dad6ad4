import { availableParallelism } from 'node:os'
import { AwqError, messageOf } from '@awq/tensor'
import { makeEngine } from './engine.ts'
import { requireProvider } from './require-provider.ts'
import type { RuntimeApi } from './runtime-api.ts'
import type { Device, Engine, EngineOptions } from './types.ts'

const version = '1.30.0'

export type Importer = () => Promise<unknown>

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

/**
 * The engine over onnxruntime-node's own binding. `load` imports the package and is a parameter for tests of its absence.
 * @throws AwqError `UNSUPPORTED` when the package is missing, or with `advice` when the device cannot be had
 */
export async function createNodeBindingEngine(
  options: EngineOptions & { readonly device: Device },
  advice: string,
  load: Importer = () => import('onnxruntime-node'),
): Promise<Engine> {
  const { device, threads = availableParallelism() } = options
  if (device === 'coreml' || device === 'directml') {
    throw new AwqError('UNSUPPORTED', `device '${device}' needs the native engine. ${advice}`)
  }
  const api = await importRuntime(load)
  // The library's own logger starts at warnings, e.g. of devices that it looked for; failures reach us as exceptions.
  if (api.env.logLevel === undefined || api.env.logLevel === 'warning') api.env.logLevel = 'fatal'
  if (device !== 'cpu') await requireProvider(api, device, device, advice)
  return makeEngine(api, {
    name: 'onnxruntime-node',
    device,
    provider: device,
    threads,
    features: { inPlaceOutputs: false, asyncRun: false, deviceTensors: false, externalFiles: true, float16: true },
  })
}
