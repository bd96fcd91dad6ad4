import { AwqError } from '@awq/tensor'
import type { DeviceTensor, Tensor } from './types.ts'

/** The error of a handle that is not there. */
export const handleError = (name: string): AwqError =>
  new AwqError('INVALID_ARGUMENT', `${name}: this device tensor has been disposed, or is another engine’s`)

/** What is behind a handle: it lives until its owner is done with it and all loans have ended. */
export interface HeldEntry {
  loans: number
  ended: boolean
}

/** An entry that is not freed before the loan has ended. */
export interface Borrowed<Entry extends HeldEntry> {
  readonly entry: Entry
  /** Throws `INVALID_ARGUMENT` when the handle was disposed meanwhile. */
  check(): void
  /** Ends the loan; called once. */
  release(): void
}

/** The part of a store that knows which handles there are, and when what is behind one can be freed. */
export interface HeldEntries<Entry extends HeldEntry> {
  hold(kind: Pick<Tensor, 'dtype' | 'shape'>, entry: Entry): DeviceTensor
  /** Throws `INVALID_ARGUMENT` for a handle that was disposed or that another engine made. */
  borrow(handle: DeviceTensor, name: string): Borrowed<Entry>
  /** What is behind a handle. Throws as `borrow`. */
  entryOf(handle: DeviceTensor, name: string): Entry
  /** All that was not freed, to be freed by the caller: their handles are disposed. */
  drain(): readonly Entry[]
}

/**
 * @param free frees what is behind a handle; called once
 * @param read copies the values of an entry, which is lent meanwhile
 */
export function heldEntries<Entry extends HeldEntry>(
  free: (entry: Entry) => void,
  read: (entry: Entry, kind: Pick<Tensor, 'dtype' | 'shape'>) => Promise<Tensor>,
): HeldEntries<Entry> {
  const held = new WeakMap<DeviceTensor, Entry>()
  const left = new Set<Entry>()
  const end = (entry: Entry): void => {
    entry.ended = true
    if (entry.loans === 0 && left.delete(entry)) free(entry)
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
  return {
    entryOf,
    hold({ dtype, shape }, entry) {
      const kind = { dtype, shape: [...shape] }
      const handle: DeviceTensor = {
        ...kind,
        location: 'device',
        async read() {
          entryOf(handle, 'read')
          entry.loans += 1
          try {
            return await read(entry, kind)
          } finally {
            repay(entry)
          }
        },
        dispose: () => end(entry),
      }
      held.set(handle, entry)
      left.add(entry)
      forgotten.register(handle, entry)
      return handle
    },
    borrow(handle, name) {
      const entry = entryOf(handle, name)
      entry.loans += 1
      return {
        entry,
        check() {
          if (entry.ended) throw handleError(name)
        },
        release: () => repay(entry),
      }
    },
    drain() {
      const entries = [...left]
      left.clear()
      for (const entry of entries) entry.ended = true
      return entries
    },
  }
}
