import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { ModuleFiles } from './runtime.ts'

/** The files of onnxruntime-web's build for the CPU in Node. Throws when the package is not installed. */
export function bundleFiles(): ModuleFiles {
  const { resolve } = createRequire(import.meta.url)
  const at = (ending: string) => pathToFileURL(resolve(`onnxruntime-web/ort-wasm-simd-threaded.${ending}`)).href
  return { script: at('mjs'), wasm: at('wasm') }
}
