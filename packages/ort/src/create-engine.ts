import { AwqError } from '@awq/tensor'
import { createPlatformEngine } from '#platform'
import type { Engine, EngineOptions } from './types.ts'

const devices: readonly string[] = ['cpu', 'cuda', 'webgpu', 'coreml', 'directml']
const engines: readonly string[] = ['native', 'onnxruntime-node', 'onnxruntime-web']

/**
 * Makes the engine of this platform: in Node the native one, or onnxruntime-node with a warning where koffi or the library
 * cannot be loaded; onnxruntime-web in browsers (`'cpu'` is WebAssembly there). `Engine.name` says which.
 * @throws AwqError `INVALID_ARGUMENT` for an unknown device, engine or thread count; `UNSUPPORTED` when the runtime's
 *   package is missing (the message has the install command), the wanted engine or library cannot be loaded, or the
 *   device cannot be had on this machine
 */
export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  const { device = 'cpu', threads, engine } = options
  if (!devices.includes(device)) {
    throw new AwqError('INVALID_ARGUMENT', `unknown device ${JSON.stringify(device)}: use ${devices.join(', ')}`)
  }
  if (engine !== undefined && !engines.includes(engine)) {
    throw new AwqError('INVALID_ARGUMENT', `unknown engine ${JSON.stringify(engine)}: use ${engines.join(', ')}`)
  }
  if (threads !== undefined && !(Number.isSafeInteger(threads) && threads >= 1 && threads <= 1024)) {
    throw new AwqError('INVALID_ARGUMENT', `threads must be a whole number from 1 to 1024, got ${String(threads)}`)
  }
  return createPlatformEngine({ ...options, device })
}
