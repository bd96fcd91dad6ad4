/**
 * What this browser offers to compute with.
 * @module
 */

export interface Machine {
  /** The adapter of WebGPU, if there is one. */
  readonly gpu: { readonly name: string; readonly float16: boolean; readonly software: boolean } | undefined
  /** Threads of WebAssembly: one on a page that is not cross-origin isolated. */
  readonly threads: number
}

/** The parts of WebGPU that are read here; TypeScript's library of the DOM has none of it. */
interface Gpu {
  requestAdapter(): Promise<{
    readonly features: ReadonlySet<string>
    readonly info: { vendor: string; architecture: string; description: string; isFallbackAdapter?: boolean }
  } | null>
}

export const lookAtMachine = async (): Promise<Machine> => {
  const threads = crossOriginIsolated ? navigator.hardwareConcurrency : 1
  const { gpu } = navigator as { gpu?: Gpu }
  const adapter = await gpu?.requestAdapter().catch(() => null)
  if (!adapter) return { gpu: undefined, threads }
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info
  const name = description || [vendor, architecture].filter(Boolean).join(' ') || 'GPU'
  const software = isFallbackAdapter === true || /swiftshader|llvmpipe/i.test(`${name} ${architecture}`)
  return { gpu: { name, float16: adapter.features.has('shader-f16'), software }, threads }
}

/** `'cpu'` is WebAssembly in a browser. */
export type PageDevice = 'webgpu' | 'cpu'

/** The faster one, as far as one can tell beforehand. */
export const likelyDevice = ({ gpu }: Machine): PageDevice => (gpu && !gpu.software ? 'webgpu' : 'cpu')
