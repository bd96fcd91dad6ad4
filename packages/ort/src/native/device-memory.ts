import { Graph, type OnnxType } from '@awq/onnx'
import { elementTypeOf } from '../element-type.ts'
import type { Device } from '../types.ts'
import { callAsync } from './call-async.ts'
import { loadSession } from './load-session.ts'
import { nativeString, nativeWords } from './memory.ts'
import type { Runtime } from './runtime.ts'
import type { EngineSettings } from './session-options.ts'
import { check } from './status.ts'
import { nativeShape } from './value.ts'

/** What ONNX Runtime calls the memory of a device; the devices that are not here are given their tensors in CPU memory. */
const memoryNames: Readonly<Partial<Record<Device, string>>> = { webgpu: 'WebGPU_Buffer', cuda: 'Cuda' }

/** Whether tensors can be kept in the memory of a device. */
export const hasDeviceMemory = (device: Device): boolean => memoryNames[device] !== undefined

const deviceAllocator = 0
const defaultMemory = 0

/** Memory of one device. Its calls must not overlap with runs on that device. */
export interface DeviceMemory {
  /** A new OrtValue of unspecified contents. Throws `ENGINE` when there is no room. */
  allocate(dtype: OnnxType, shape: readonly number[]): bigint
  /** Copies an OrtValue to another of the same type and shape, on whichever side either is. */
  copy(from: bigint, to: bigint, kind: { readonly dtype: OnnxType; readonly shape: readonly number[] }): Promise<void>
  /** Frees the memory's own things; the values must have been freed. */
  release(): void
}

function identityGraph(dtype: OnnxType, rank: number): Uint8Array {
  const graph = new Graph('copy')
  const from = graph.input(
    'from',
    dtype,
    Array.from({ length: rank }, (_, axis) => `dim${axis}`),
  )
  graph.output('to', graph.add('Identity', [from]))
  return graph.toBytes()
}

/**
 * Opens a device's memory. Allocators belong to a session in ONNX Runtime, and a copy between CPU and device is what a run
 * does with its inputs and outputs; so it keeps sessions of one Identity, the first of which owns the allocator.
 * @throws AwqError `ENGINE` when the device has no such memory
 */
export async function openDeviceMemory(runtime: Runtime, settings: EngineSettings): Promise<DeviceMemory> {
  const { api, koffi } = runtime
  const sessions = new Map<string, bigint>()
  const sessionOf = async (dtype: OnnxType, rank: number): Promise<bigint> => {
    const key = `${dtype} ${rank}`
    const session = sessions.get(key) ?? (await loadSession(runtime, settings, identityGraph(dtype, rank), {}))
    sessions.set(key, session)
    return session
  }
  const names = { from: nativeString('from'), to: nativeString('to') }

  const owner = await sessionOf('float32', 1)
  // The id counts devices of one kind; the option that chooses it is CUDA's.
  const id = settings.device === 'cuda' ? Number(settings.providerOptions.device_id ?? 0) : 0
  const info = runtime.make('describe the memory of the device', (out) =>
    api.CreateMemoryInfo(memoryNames[settings.device]!, deviceAllocator, id, defaultMemory, out),
  )
  const allocator = runtime.make('give the allocator of the device', (out) => api.CreateAllocator(owner, info, out))

  return {
    allocate: (dtype, shape) =>
      runtime.make('allocate on the device', (out) =>
        api.CreateTensorAsOrtValue(allocator, nativeShape(shape), shape.length, elementTypeOf[dtype], out),
      ),
    async copy(from, to, { dtype, shape }) {
      const session = await sessionOf(dtype, shape.length)
      const words = nativeWords(4)
      words.set([koffi.address(names.from), from, koffi.address(names.to), to])
      const at = (index: number): bigint => koffi.address(words) + BigInt(8 * index)
      check(
        runtime,
        await callAsync(api.Run, [words, names], session, null, at(0), at(1), 1, at(2), 1, at(3)),
        'copy a tensor',
      )
    },
    release() {
      api.ReleaseAllocator(allocator)
      api.ReleaseMemoryInfo(info)
      for (const session of sessions.values()) api.ReleaseSession(session)
    },
  }
}
