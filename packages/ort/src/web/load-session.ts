import { elementTypeName } from '../element-type.ts'
import type { ValueInfo } from '../feeds.ts'
import { fatalSeverity } from '../log-severity.ts'
import type { SessionOptions } from '../types.ts'
import { allocate, check, copyIn, cString, made, withWords } from './calls.ts'
import type { GpuDevice } from './gpu-device.ts'
import type { WebRuntime } from './runtime.ts'
import type { WasmModule } from './wasm-module.ts'

/** A session of the module, and what it says of itself. */
export interface LoadedSession {
  readonly handle: number
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
  /** C strings of the names. */
  readonly names: ReadonlyMap<string, number>
}

/** What a graph is loaded with. */
export interface LoadRequest {
  readonly model: Uint8Array
  readonly options: Pick<SessionOptions, 'optimize' | 'planMemory'>
  readonly externalData: Readonly<Record<string, Uint8Array | Blob>>
  readonly gpu: GpuDevice | undefined
  /** Refuses the graph when the CPU would have to compute a part of it. */
  readonly required?: boolean | undefined
}

/** All of ONNX Runtime's graph optimisations, and none. */
const [optimizeAll, optimizeNothing] = [99, 0]

/** Appends the provider of WebGPU on the engine's own device. */
async function appendGpu(module: WasmModule, options: number, gpu: GpuDevice, texts: number[]): Promise<void> {
  const [id, instance, device] = module.webgpuRegisterDevice!(gpu.device)
  const given = Object.entries({ deviceId: id, webgpuInstance: instance, webgpuDevice: device })
  const text = (value: string): number => {
    const pointer = cString(module, value)
    texts.push(pointer)
    return pointer
  }
  const lists = allocate(module, 8 * given.length, 'take a provider')
  texts.push(lists)
  for (const [index, [key, value]] of given.entries()) {
    module.HEAPU32[(lists >>> 2) + index] = text(key)
    module.HEAPU32[(lists >>> 2) + given.length + index] = text(String(value))
  }
  const [keys, values] = [lists, lists + 4 * given.length]
  const code = await module._OrtAppendExecutionProvider(options, text('WebGPU'), keys, values, given.length)
  check(module, code, 'use WebGPU')
}

/** A dimension that ONNX Runtime could not tell is -1, read here as an unsigned number. */
const dimension = (dim: number): number | string => (dim < 2 ** 31 ? dim : '?')

/** Name, type and shape of an input or output. */
function describe(module: WasmModule, session: number, index: number): { info: ValueInfo; name: number } {
  return withWords(module, 2, (words) => {
    check(module, module._OrtGetInputOutputMetadata(session, index, words, words + 4), 'describe the graph')
    const [name, metadata] = [module.getValue(words, '*') >>> 0, module.getValue(words + 4, '*') >>> 0]
    const at = (word: number): number => module.getValue(metadata + 4 * word, '*') >>> 0
    const [type, rank] = [at(0), at(0) === 0 ? 0 : at(1)]
    // The names of the dimensions, 0 for those without, and after them their sizes.
    const shape = Array.from({ length: rank }, (_, axis) => {
      const symbol = at(2 + axis)
      return symbol === 0 ? dimension(at(2 + rank + axis)) : module.UTF8ToString(symbol)
    })
    module._OrtFree(metadata)
    const dtype = type === 0 ? 'not a tensor' : elementTypeName(type)
    return { info: { name: module.UTF8ToString(name), dtype, shape }, name }
  })
}

/** What a session says of itself. */
function describeSession(module: WasmModule, handle: number): LoadedSession {
  const [inputs, outputs] = withWords(module, 2, (words) => {
    check(module, module._OrtGetInputOutputCount(handle, words, words + 4), 'describe the graph')
    return [module.getValue(words, 'i32'), module.getValue(words + 4, 'i32')] as const
  })
  const described = Array.from({ length: inputs + outputs }, (_, index) => describe(module, handle, index))
  const infos = described.map(({ info }) => info)
  return {
    handle,
    inputs: infos.slice(0, inputs),
    outputs: infos.slice(inputs),
    names: new Map(described.map(({ info, name }) => [info.name, name])),
  }
}

/**
 * Loads a graph; called in turn, since the module knows the external data and the device of one load at a time.
 * @throws AwqError `ENGINE` with ONNX Runtime's words
 */
export async function loadSession(runtime: WebRuntime, request: LoadRequest): Promise<LoadedSession> {
  const { module, health } = runtime
  const { model, options, externalData, gpu, required } = request
  const kept: number[] = []
  let sessionOptions = 0
  let announced = false
  const entry = (key: string, value: string): void => {
    kept.push(cString(module, key), cString(module, value))
    const [keyText, valueText] = kept.slice(-2) as [number, number]
    check(module, module._OrtAddSessionConfigEntry(sessionOptions, keyText, valueText), 'take a session option')
  }
  try {
    const bytes = allocate(module, model.byteLength, 'take the graph')
    kept.push(bytes)
    copyIn(module, model, bytes)
    const level = options.optimize === false ? optimizeNothing : optimizeAll
    const plans = options.planMemory !== false && gpu === undefined
    sessionOptions = made(
      module,
      module._OrtCreateSessionOptions(level, false, plans, 0, false, 0, 0, fatalSeverity, 0, 0),
      'make session options',
    )
    if (required) entry('session.disable_cpu_ep_fallback', '1')
    if (gpu) {
      announced = true
      await health.guard(appendGpu(module, sessionOptions, gpu, kept))
    }
    for (const [name, data] of Object.entries(externalData)) module.mountExternalData(name, data)
    const handle = await health.guard(module._OrtCreateSession(bytes, model.byteLength, sessionOptions))
    if (announced) module.webgpuOnCreateSession!(handle)
    announced = false
    return describeSession(module, made(module, handle, 'load the graph'))
  } catch (error) {
    throw runtime.explain(gpu ? await gpu.reason(error) : error)
  } finally {
    if (!health.failure) {
      if (announced) module.webgpuOnCreateSession!(0)
      module.unmountExternalData()
      if (sessionOptions !== 0) module._OrtReleaseSessionOptions(sessionOptions)
      for (const pointer of kept) module._free(pointer)
    }
  }
}

/** Frees a session. */
export function releaseSession(module: WasmModule, { handle, names }: LoadedSession): void {
  module.webgpuOnReleaseSession?.(handle)
  module._OrtReleaseSession(handle)
  for (const name of names.values()) module._OrtFree(name)
}
