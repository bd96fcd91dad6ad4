import { AwqError } from '@awq/tensor'
import type { Device, Engine, EngineOptions } from './types.ts'
import { bundleFiles } from './web/bundle-files.browser.ts'
import { createWebEngine } from './web/engine.ts'

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
  const threads = Math.min(options.threads ?? availableThreads(), availableThreads())
  return (await createWebEngine({ device, threads, files: bundleFiles(device, options.wasmPaths) })).engine
}
