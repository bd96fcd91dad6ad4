import { AwqError, messageOf } from '@awq/tensor'
import type { Device } from '../types.ts'
import { nativeString, pointersTo } from './memory.ts'
import { whyNotLoaded } from './provider-library.ts'
import type { Runtime } from './runtime.ts'
import { check } from './status.ts'

/** Names of the execution providers that SessionOptionsAppendExecutionProvider takes. */
const genericProviders: Readonly<Partial<Record<Device, string>>> = {
  webgpu: 'WebGPU',
  coreml: 'CoreML',
  directml: 'DML',
}

/** Calls `append` with the keys and values of options as C strings. */
function withOptions<T>(
  { koffi }: Runtime,
  options: Readonly<Record<string, string>>,
  append: (keys: BigUint64Array, values: BigUint64Array, count: number) => T,
): T {
  const keys = pointersTo(
    koffi,
    Object.keys(options).map((key) => nativeString(key)),
  )
  const values = pointersTo(
    koffi,
    Object.values(options).map((value) => nativeString(value)),
  )
  return append(keys.words, values.words, keys.kept.length)
}

/** CUDA has a call of its own: the generic one does not know it in builds that load it as a shared library. */
function appendCuda(runtime: Runtime, sessionOptions: bigint, options: Readonly<Record<string, string>>): void {
  const { api } = runtime
  const cuda = runtime.make('use CUDA', (out) => api.CreateCUDAProviderOptions(out))
  try {
    if (Object.keys(options).length > 0) {
      withOptions(runtime, options, (keys, values, count) =>
        check(runtime, api.UpdateCUDAProviderOptions(cuda, keys, values, count), 'take the options of CUDA'),
      )
    }
    check(runtime, api.SessionOptionsAppendExecutionProvider_CUDA_V2(sessionOptions, cuda), 'use CUDA')
  } catch (error) {
    // One of ONNX Runtime's own messages has the linker's reason already.
    const reason = messageOf(error).includes('Failed to load library') ? undefined : whyNotLoaded(runtime, 'cuda')
    if (reason === undefined) throw error
    throw new AwqError('ENGINE', `${messageOf(error)}: ${reason}`, { cause: error })
  } finally {
    api.ReleaseCUDAProviderOptions(cuda)
  }
}

/** Makes sessions of these options run on a device. Throws `ENGINE` with ONNX Runtime's reason when it cannot be had. */
export function appendProvider(
  runtime: Runtime,
  sessionOptions: bigint,
  device: Device,
  options: Readonly<Record<string, string>>,
): void {
  const name = genericProviders[device]
  if (device === 'cuda') appendCuda(runtime, sessionOptions, options)
  if (name === undefined) return
  withOptions(runtime, options, (keys, values, count) =>
    check(
      runtime,
      runtime.api.SessionOptionsAppendExecutionProvider(sessionOptions, name, keys, values, count),
      `use ${name}`,
    ),
  )
}
