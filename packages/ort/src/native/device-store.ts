import { AwqError } from '@awq/tensor'
import { type HeldEntry, handleError, heldEntries } from '../held-entries.ts'
import { checkKind, checkTensor, sizeOf, zeros } from '../tensor.ts'
import type { Turns } from '../turns.ts'
import type { DeviceTensor, Tensor } from '../types.ts'
import type { DeviceMemory } from './device-memory.ts'
import type { Runtime } from './runtime.ts'
import type { TensorStore } from './tensor-store.ts'
import { lendTensor } from './value.ts'

/** A tensor on the device. */
interface Entry extends HeldEntry {
  /** The OrtValue; 0 until its turn has come, and after it was freed. */
  value: bigint
  /** Why there is none. */
  failure: unknown
}

/** Device tensors in the device's own memory. Everything that touches it takes its turn with the runs. */
export function deviceTensorStore(runtime: Runtime, memory: DeviceMemory, turns: Turns): TensorStore {
  const { api } = runtime
  const free = (entry: Entry): void => {
    if (entry.value !== 0n) api.ReleaseValue(entry.value)
    entry.value = 0n
  }
  const checkMade = ({ failure }: Entry, name: string): void => {
    if (failure === undefined) return
    throw new AwqError('ENGINE', `${name}: there is no such tensor on the device`, { cause: failure })
  }

  const readBack = async (entry: Entry, { dtype, shape }: Pick<Tensor, 'dtype' | 'shape'>): Promise<Tensor> => {
    const result = zeros(dtype, shape)
    checkMade(entry, 'read')
    // Asked for while the engine ended.
    if (entry.value === 0n) throw handleError('read')
    if (sizeOf(shape) === 0) return result
    const lease = lendTensor(runtime, result, 'read')
    try {
      await memory.copy(entry.value, lease.value, result)
      return result
    } finally {
      lease.release()
    }
  }

  const entries = heldEntries<Entry>(
    (entry) => void turns.take(() => free(entry)),
    (entry, kind) => turns.take(() => readBack(entry, kind)),
  )
  const hold = (kind: Pick<Tensor, 'dtype' | 'shape'>): DeviceTensor =>
    entries.hold(kind, { value: 0n, failure: undefined, loans: 0, ended: false })

  /** Makes the OrtValue in its turn; what goes wrong is told by the first run that needs it. */
  const fill = (handle: DeviceTensor, make: (entry: Entry) => void | Promise<void>): void => {
    const { entry, release } = entries.borrow(handle, 'fill')
    const made = turns
      .take(() => make(entry))
      .catch((error: unknown) => {
        entry.failure = error
      })
    void made.then(release)
  }

  return {
    location: 'device',
    upload(value) {
      checkTensor(value, 'upload')
      const handle = hold(value)
      const { dtype, shape } = value
      // Looked at now: memory that may move is the caller's mistake.
      const lease = lendTensor(runtime, value, 'upload')
      fill(handle, async (entry) => {
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
      const handle = hold({ dtype, shape })
      fill(handle, (entry) => {
        entry.value = memory.allocate(dtype, shape)
      })
      return handle
    },
    lend(handle, name) {
      const { entry, check, release } = entries.borrow(handle, name)
      return {
        get value() {
          return entry.value
        },
        check() {
          check()
          checkMade(entry, name)
        },
        release,
      }
    },
    dispose() {
      for (const entry of entries.drain()) free(entry)
      memory.release()
    },
  }
}
