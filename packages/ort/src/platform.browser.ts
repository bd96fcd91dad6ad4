import { AwqError, messageOf } from '@awq/tensor'
import { spawnWorker } from '#spawn-worker'
import { probeGraph } from './probe-graph.ts'
import type { Device, Engine, EngineOptions } from './types.ts'
import { bundleFiles } from './web/bundle-files.browser.ts'
import { createWebEngine, type WebEngineRequest } from './web/engine.ts'
import { createClientEngine } from './web/worker/client-engine.ts'

/** WebAssembly threads share memory, which browsers allow on cross-origin isolated pages only. */
const availableThreads = (): number =>
  globalThis.crossOriginIsolated ? (globalThis.navigator.hardwareConcurrency ?? 1) : 1

/** A page, whose thread must stay free; a Worker has a thread of its own already. */
const onPage = (): boolean => typeof document !== 'undefined'

/** The engine in a Worker; undefined where none is wanted, and with a warning where none can be had. */
async function tryWorker(options: EngineOptions, request: WebEngineRequest): Promise<Engine | undefined> {
  const { worker = onPage(), onWarning = console.warn } = options
  if (worker === false) return undefined
  try {
    return await createClientEngine(typeof worker === 'function' ? worker() : spawnWorker(), request)
  } catch (error) {
    // What the engine itself could not do, it could not do here either.
    if (AwqError.is(error)) throw error
    const reason = messageOf(error)
    onWarning(`the engine's Worker could not be started (${reason}): it runs on the page, which stands still meanwhile`)
    return undefined
  }
}

/** The engine of browsers: onnxruntime-web, in a Worker where it is made on a page. */
export async function createPlatformEngine(options: EngineOptions & { readonly device: Device }): Promise<Engine> {
  const { device, engine = 'onnxruntime-web' } = options
  if (engine !== 'onnxruntime-web') {
    throw new AwqError('UNSUPPORTED', `engine '${engine}' needs Node: browsers have onnxruntime-web`)
  }
  if (device !== 'cpu' && device !== 'webgpu') {
    throw new AwqError('UNSUPPORTED', `device '${device}' does not exist in browsers: use 'webgpu' or 'cpu'`)
  }
  const threads = Math.min(options.threads ?? availableThreads(), availableThreads())
  const request: WebEngineRequest = {
    device,
    threads,
    files: bundleFiles(device, options.wasmPaths),
    probe: probeGraph(),
  }
  return (await tryWorker(options, request)) ?? (await createWebEngine(request)).engine
}
