import { readFileSync } from 'node:fs'
import { callAsync } from './call-async.ts'
import type { Koffi, NativeFunction } from './native-types.ts'

/** A range of addresses, the end not included. */
export interface AddressRange {
  readonly start: bigint
  readonly end: bigint
}

/** Size of a large page of x64 and arm64. */
const largePage = 2n ** 21n
/** A call moves at most so much, so that none takes long. */
const atOnce = 2n ** 26n
/** `MADV_COLLAPSE` of Linux 6.1: moves what is there to large pages now. Older systems refuse it. */
const collapse = 25

const anonymous = /^([0-9a-f]+)-([0-9a-f]+) rw-p 00000000 00:00 0\s*(?:\[heap\])?$/gm

/** The ranges of private anonymous memory in the text of `/proc/self/maps`. */
export const anonymousRanges = (maps: string): AddressRange[] =>
  [...maps.matchAll(anonymous)].map(([, start, end]) => ({ start: BigInt(`0x${start}`), end: BigInt(`0x${end}`) }))

/** What is in `after` and not in `before`; both are in ascending order, as the system lists them. */
export const addedRanges = (before: readonly AddressRange[], after: readonly AddressRange[]): AddressRange[] => {
  const added: AddressRange[] = []
  for (const { start, end } of after) {
    let from = start
    for (const known of before) {
      if (known.end <= from || known.start >= end) continue
      if (known.start > from) added.push({ start: from, end: known.start })
      from = known.end
    }
    if (from < end) added.push({ start: from, end })
  }
  return added
}

/** The whole large pages of ranges, in pieces for one call each. */
export const largePagesOf = (ranges: readonly AddressRange[]): AddressRange[] =>
  ranges.flatMap(({ start, end }) => {
    const last = (end / largePage) * largePage
    const pieces: AddressRange[] = []
    for (let at = ((start + largePage - 1n) / largePage) * largePage; at < last; at += atOnce) {
      pieces.push({ start: at, end: at + atOnce < last ? at + atOnce : last })
    }
    return pieces
  })

const readRanges = (): AddressRange[] => {
  try {
    return anonymousRanges(readFileSync('/proc/self/maps', 'latin1'))
  } catch {
    return []
  }
}

type Advise = NativeFunction<readonly [start: bigint, length: bigint, advice: number], number>

const findAdvise = (koffi: Koffi): Advise | undefined => {
  try {
    return koffi.load('libc.so.6').func('madvise', 'int', ['uintptr_t', 'size_t', 'int']) as unknown as Advise
  } catch {
    return undefined
  }
}

/**
 * Watches what memory the process takes from now on; the function returned moves it to large pages, on another thread;
 * calls meanwhile do nothing.
 *
 * Weights that are read once a token fill no cache, and with pages of 4 KiB looking up their addresses is a tenth of a
 * step. A wish: where the system does not grant it, or is not Linux, nothing happens.
 */
export function watchMemory(koffi: Koffi): () => Promise<void> {
  if (process.platform !== 'linux') return async () => {}
  const advise = findAdvise(koffi)
  if (!advise) return async () => {}
  const before = readRanges()
  let under = false
  return async () => {
    if (under) return
    under = true
    for (const { start, end } of largePagesOf(addedRanges(before, readRanges()))) {
      // Memory that was freed meanwhile, or that has no large page left, is refused: its speed is what it was.
      await callAsync(advise, [], start, end - start, collapse).catch(() => undefined)
    }
    under = false
  }
}
