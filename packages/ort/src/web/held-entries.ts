import type { DeviceTensor, Tensor } from '../types.ts'
import { handleError, type Loan } from './tensor-store.ts'

/** What is behind a handle: it lives until its owner is done with it and all loans have ended. */
export interface HeldEntry {
  loans: number
  ended: boolean
}

/** The part of a store that knows which handles there are, and when what is behind one can be freed. */
export interface HeldEntries<Entry extends HeldEntry> {
  hold(kind: Pick<Tensor, 'dtype' | 'shape'>, entry: Entry): DeviceTensor
  lend(handle: DeviceTensor, name: string, value: (entry: Entry, session: number) => Promise<number> | number): Loan
  /** What is behind a handle. Throws `INVALID_ARGUMENT` as `lend` does. */
  entryOf(handle: DeviceTensor, name: string): Entry
  /** All that was not freed. */
  readonly left: ReadonlySet<Entry>
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
    left,
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
    lend(handle, name, value) {
      const entry = entryOf(handle, name)
      entry.loans += 1
      return {
        value(session) {
          if (entry.ended) throw handleError(name)
          return value(entry, session)
        },
        release: () => repay(entry),
      }
    },
  }
}
