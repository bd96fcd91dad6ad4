import { AwqError } from '@awq/tensor'
import { checkKind, checkTensor, sizeOf, zeros } from '../tensor.ts'
import type { Turns } from '../turns.ts'
import type { DeviceTensor, Tensor } from '../types.ts'
import type { DeviceMemory } from './device-memory.ts'
import type { Runtime } from './runtime.ts'
import { handleError, type TensorStore } from './tensor-store.ts'
import { lendTensor } from './value.ts'

/** A tensor on the device. */
interface Entry {
  /** The OrtValue; 0 until its turn has come, and after it was freed. */
  value: bigint
  /** Why there is none. */
  failure: unknown
  loans: number
  ended: boolean
}

/** Device tensors in the device's own memory. Everything that touches it takes its turn with the runs. */
export function deviceTensorStore(runtime: Runtime, memory: DeviceMemory, turns: Turns): TensorStore {
  const { api } = runtime
  const held = new WeakMap<DeviceTensor, Entry>()
  const entries = new Set<Entry>()

  const free = (entry: Entry): void => {
    if (entry.value !== 0n) api.ReleaseValue(entry.value)
    entry.value = 0n
    entries.delete(entry)
  }
  const end = (entry: Entry): void => {
    entry.ended = true
    if (entry.loans === 0 && entries.has(entry)) void turns.take(() => free(entry))
  }
  const repay = (entry: Entry): void => {
    entry.loans -= 1
    if (entry.ended) end(entry)
  }
  // A handle that its owner forgot frees its memory when it is collected.
  const forgotten = new FinalizationRegistry<Entry>(end)

  const entryOf = (handle: DeviceTensor, name: string): Entry => {
    const entry = held.get(handle)
    if (!entry || entry.ended) throw handleError(name)
    return entry
  }
  const checkThere = (entry: Entry, name: string): void => {
    if (entry.failure !== undefined) {
      throw new AwqError('ENGINE', `${name}: there is no such tensor on the device`, { cause: entry.failure })
    }
    if (!entries.has(entry)) throw handleError(name)
  }

  const readBack = async (entry: Entry, { dtype, shape }: Pick<Tensor, 'dtype' | 'shape'>): Promise<Tensor> => {
    const result = zeros(dtype, shape)
    checkThere(entry, 'read')
    if (sizeOf(shape) === 0) return result
    const lease = lendTensor(runtime, result, 'read')
    try {
      await memory.copy(entry.value, lease.value, result)
      return result
    } finally {
      lease.release()
    }
  }

  const hold = ({ dtype, shape }: Pick<Tensor, 'dtype' | 'shape'>): { handle: DeviceTensor; entry: Entry } => {
    const entry: Entry = { value: 0n, failure: undefined, loans: 0, ended: false }
    const own = [...shape]
    const handle: DeviceTensor = {
      dtype,
      shape: own,
      location: 'device',
      async read() {
        entryOf(handle, 'read')
        entry.loans += 1
        return turns.take(() => readBack(entry, { dtype, shape: own })).finally(() => repay(entry))
      },
      dispose: () => end(entry),
    }
    held.set(handle, entry)
    forgotten.register(handle, entry)
    entries.add(entry)
    return { handle, entry }
  }

  /** Makes the OrtValue in its turn; what goes wrong is told by the first run that needs it. */
  const fill = (entry: Entry, make: () => void | Promise<void>): void => {
    entry.loans += 1
    const made = turns.take(make).catch((error: unknown) => {
      entry.failure = error
    })
    void made.then(() => repay(entry))
  }

  return {
    location: 'device',
    upload(value) {
      checkTensor(value, 'upload')
      const { handle, entry } = hold(value)
      const { dtype, shape } = value
      // Looked at now: memory that may move is the caller's mistake.
      const lease = lendTensor(runtime, value, 'upload')
      fill(entry, async () => {
        try {
          lease.check()
          entry.value = memory.allocate(dtype, shape)
          if (sizeOf(shape) > 0) await memory.copy(lease.value, entry.value, value)
        } finally {
          lease.release()
        }
      })
      return handle
    },
    allocate(dtype, shape) {
      checkKind(dtype, shape, 'allocate')
      const { handle, entry } = hold({ dtype, shape })
      fill(entry, () => {
        entry.value = memory.allocate(dtype, shape)
      })
      return handle
    },
    lend(handle, name) {
      const entry = entryOf(handle, name)
      entry.loans += 1
      return {
        get value() {
          return entry.value
        },
        check() {
          if (entry.ended) throw handleError(name)
          checkThere(entry, name)
        },
        release: () => repay(entry),
      }
    },
    dispose() {
      for (const entry of [...entries]) free(entry)
      memory.release()
    },
  }
}
