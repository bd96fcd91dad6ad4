import type { WebDevice } from './engine.ts'
import type { ModuleFiles } from './runtime.ts'

/** Names of onnxruntime-web's builds, without their endings. */
const builds = {
  plain: 'ort-wasm-simd-threaded',
  asyncify: 'ort-wasm-simd-threaded.asyncify',
  jspi: 'ort-wasm-simd-threaded.jspi',
} as const

/**
 * Where bundlers put the builds. They find these files by the form of the expression, `new URL` of a literal and
 * `import.meta.url`, which is why there is one for each.
 */
const bundled: Readonly<Record<keyof typeof builds, () => ModuleFiles>> = {
  plain: () => ({
    script: new URL('onnxruntime-web/ort-wasm-simd-threaded.mjs', import.meta.url).href,
    wasm: new URL('onnxruntime-web/ort-wasm-simd-threaded.wasm', import.meta.url).href,
  }),
  asyncify: () => ({
    script: new URL('onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs', import.meta.url).href,
    wasm: new URL('onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm', import.meta.url).href,
  }),
  jspi: () => ({
    script: new URL('onnxruntime-web/ort-wasm-simd-threaded.jspi.mjs', import.meta.url).href,
    wasm: new URL('onnxruntime-web/ort-wasm-simd-threaded.jspi.wasm', import.meta.url).href,
  }),
}

/**
 * The files for a device: WebAssembly alone for the CPU; for WebGPU the build that waits by WebAssembly's own promises,
 * or, in browsers without those, the larger and slower one that is rewritten for waiting.
 * @param folder where they are served; by default where the bundler has put them
 */
export function bundleFiles(device: WebDevice, folder: string | undefined): ModuleFiles {
  const build = device === 'cpu' ? 'plain' : 'Suspending' in WebAssembly ? 'jspi' : 'asyncify'
  if (folder === undefined) return bundled[build]()
  const at = (ending: string) => new URL(`${folder.replace(/\/?$/, '/')}${builds[build]}.${ending}`, location.href).href
  return { script: at('mjs'), wasm: at('wasm') }
}
