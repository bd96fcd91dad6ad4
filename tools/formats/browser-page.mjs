/** Runs in the page of browser.ts. */
import * as library from '/transformers/transformers.min.js'
import { generateWith } from './transformersjs-generate.mjs'

const { env } = library
// Off in browsers unless asked for.
env.allowLocalModels = true
env.allowRemoteModels = false
env.localModelPath = '/models/'
env.useBrowserCache = false

/** What WebGPU has here; undefined without an adapter. */
export const adapter = async () => {
  const found = await navigator.gpu?.requestAdapter()
  if (!found) return undefined
  const { vendor, architecture, description } = found.info
  return {
    name: [vendor, architecture, description].filter(Boolean).join(' '),
    float16: found.features.has('shader-f16'),
  }
}

/**
 * The build with WebGPU, which transformers.js takes in browsers but Safari, has no kernel on the CPU that looks up rows of quantized
 * tables; the plain one, which it takes in Safari, does.
 */
const builds = { wasm: 'ort-wasm-simd-threaded', webgpu: 'ort-wasm-simd-threaded.asyncify' }

/** Generates; `dispatches` counts the kernels that were sent to the GPU. */
export const answer = async ({ name, ...job }) => {
  const build = `/onnxruntime/${builds[job.device]}`
  env.backends.onnx.wasm.wasmPaths = { mjs: `${build}.mjs`, wasm: `${build}.wasm` }
  let dispatches = 0
  for (const call of ['dispatchWorkgroups', 'dispatchWorkgroupsIndirect']) {
    const passes = globalThis.GPUComputePassEncoder?.prototype
    const own = passes?.[call]
    if (!own) continue
    passes[call] = function (...sizes) {
      dispatches++
      return own.apply(this, sizes)
    }
  }
  return { ...(await generateWith(library, name, job)), dispatches }
}
