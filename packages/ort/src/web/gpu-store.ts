import type { OnnxType } from '@awq/onnx'
import { AwqError, messageOf } from '@awq/tensor'
import { type HeldEntry, heldEntries } from '../held-entries.ts'
import { checkKind, checkTensor, describeTensor, sizeOf, zeros } from '../tensor.ts'
import type { DeviceTensor, Tensor } from '../types.ts'
import type { GpuDevice } from './gpu-device.ts'
import { checkSize } from './gpu-limits.ts'
import type { WebRuntime } from './runtime.ts'
import { bytesOf, makeValue, type TensorStore } from './tensor-store.ts'

interface Entry extends HeldEntry {
  readonly buffer: GPUBuffer
  /** The OrtValue; 0 until a run needs it. */
  value: number
  /** What went wrong when the buffer was made; undefined while that is not known. */
  failure: AwqError | null | undefined
  readonly known: Promise<void>
}

/** Flags of WebGPU's buffers. */
const usage = { mapRead: 1, copyFrom: 4, copyTo: 8, storage: 128 } as const
const mapToRead = 1

const readError = (error: unknown): AwqError =>
  AwqError.is(error) ? error : new AwqError('ENGINE', `a device tensor could not be read: ${messageOf(error)}`)

type Kind = Pick<Tensor, 'dtype' | 'shape'>

/** Sizes of copies are multiples of 4, ONNX Runtime's of 16. */
const padded = (bytes: number): number => Math.max(16, Math.ceil(bytes / 16) * 16)

/** Device tensors of WebGPU: buffers of the device, which runs take as inputs and outputs. */
export function gpuStore({ module, turns, health, enter }: WebRuntime, gpu: GpuDevice): TensorStore {
  const { device, limits } = gpu

  const free = ({ buffer, value }: Entry): void => {
    if (value !== 0) {
      module._OrtReleaseTensor(value)
      module.webgpuUnregisterBuffer!(buffer)
    }
    buffer.destroy()
  }

  const readBack = async (entry: Entry, { dtype, shape }: Kind): Promise<Tensor> => {
    await checkThere(entry)
    const result = zeros(dtype, shape)
    if (sizeOf(shape) === 0) return result
    const size = padded(result.data.byteLength)
    const staging = device.createBuffer({ size, usage: usage.mapRead | usage.copyTo })
    try {
      const encoder = device.createCommandEncoder()
      encoder.copyBufferToBuffer(entry.buffer, 0, staging, 0, size)
      device.queue.submit([encoder.finish()])
      await health.guard(staging.mapAsync(mapToRead))
      const bytes = new Uint8Array(staging.getMappedRange(), 0, result.data.byteLength)
      new Uint8Array(result.data.buffer).set(bytes)
      return result
    } finally {
      staging.destroy()
    }
  }

  const entries = heldEntries<Entry>(
    // Its turn comes after the runs that were asked for before.
    (entry) => void turns.take(() => enter(() => free(entry))).catch(() => {}),
    (entry, kind) =>
      turns.take(async () => {
        health.check()
        try {
          return await readBack(entry, kind)
        } catch (error) {
          throw AwqError.is(error) ? error : readError(await gpu.reason(error))
        }
      }),
  )

  const checkThere = async (entry: Entry): Promise<void> => {
    if (entry.failure === undefined) await health.guard(entry.known)
    if (entry.failure) throw entry.failure
  }

  const make = (kind: Kind, name: string): { entry: Entry; handle: DeviceTensor } => {
    health.check()
    const bytes = bytesOf(kind)
    checkSize(limits, kind, name)
    device.pushErrorScope('out-of-memory')
    const buffer = device.createBuffer({ size: padded(bytes), usage: usage.storage | usage.copyFrom | usage.copyTo })
    const known = device.popErrorScope().then((error) => {
      entry.failure = error
        ? new AwqError('ENGINE', `${name}: the GPU has no memory for ${describeTensor(kind)} (${bytes} bytes)`)
        : null
    })
    // A lost device has a failure of its own.
    known.catch(() => {})
    const entry: Entry = { buffer, value: 0, failure: undefined, known, loans: 0, ended: false }
    return { entry, handle: entries.hold(kind, entry) }
  }

  return {
    upload(value) {
      checkTensor(value, 'upload')
      const { entry, handle } = make(value, 'upload')
      const { buffer, byteOffset, byteLength } = value.data
      const whole = byteLength % 4 === 0
      const bytes = whole ? new Uint8Array(buffer, byteOffset, byteLength) : new Uint8Array(padded(byteLength))
      if (!whole) bytes.set(new Uint8Array(buffer, byteOffset, byteLength))
      if (byteLength > 0) device.queue.writeBuffer(entry.buffer, 0, bytes as Uint8Array<ArrayBuffer>)
      return handle
    },
    allocate(dtype: OnnxType, shape) {
      checkKind(dtype, shape, 'allocate')
      return make({ dtype, shape }, 'allocate').handle
    },
    lend(handle, name) {
      const { entry, check, release } = entries.borrow(handle, name)
      const register = (session: number): number => {
        if (entry.value === 0) {
          const pointer = module.webgpuRegisterBuffer!(entry.buffer, session)
          entry.value = makeValue(module, handle, pointer, 'gpuBuffer', name)
        }
        return entry.value
      }
      return {
        value(session) {
          check()
          if (entry.failure === null) return register(session)
          return checkThere(entry).then(() => register(session))
        },
        release,
      }
    },
    copy(from, to) {
      const [source, target] = [entries.entryOf(from, 'copy').buffer, entries.entryOf(to, 'copy').buffer]
      const encoder = device.createCommandEncoder()
      encoder.copyBufferToBuffer(source, 0, target, 0, source.size)
      device.queue.submit([encoder.finish()])
    },
    dispose() {
      for (const entry of entries.drain()) free(entry)
    },
  }
}
