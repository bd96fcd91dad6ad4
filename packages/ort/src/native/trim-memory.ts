import { callAsync } from './call-async.ts'
import type { Koffi, NativeFunction } from './native-types.ts'

type Trim = NativeFunction<readonly [keep: number], number>

const found = new WeakMap<Koffi, Trim | null>()

/** The C library's `malloc_trim`, which glibc has. */
const findTrim = (koffi: Koffi): Trim | null => {
  try {
    return koffi.load('libc.so.6').func('malloc_trim', 'int', ['size_t']) as unknown as Trim
  } catch {
    return null
  }
}

/**
 * Gives free memory that the C library keeps for later back to the system, on another thread. ONNX Runtime's memory and
 * that of typed arrays come from there; pieces of some megabytes are kept when they are freed. A wish: elsewhere than on
 * Linux with glibc, nothing happens.
 */
export async function trimMemory(koffi: Koffi): Promise<void> {
  if (process.platform !== 'linux') return
  let trim = found.get(koffi)
  if (trim === undefined) {
    trim = findTrim(koffi)
    found.set(koffi, trim)
  }
  if (trim) await callAsync(trim, [], 0)
}
