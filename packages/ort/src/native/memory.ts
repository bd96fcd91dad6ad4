import { AwqError } from '@awq/tensor'
import type { TypedArray } from '../types.ts'
import type { Koffi } from './native-types.ts'

/**
 * Pointers, lengths or numbers that native code reads or writes. On an own buffer: one that V8 made for a typed array
 * of 64 bytes or less would lie on its heap and move.
 */
export const nativeWords = (length: number): BigUint64Array<ArrayBuffer> =>
  new BigUint64Array(new ArrayBuffer(8 * length))

/** A string with its final zero, in ORTCHAR_T when `path`: UTF-16 on Windows. Keep it referenced while it is used. */
export function nativeString(text: string, path = false): Uint8Array {
  const bytes = Buffer.from(`${text}\0`, path && process.platform === 'win32' ? 'utf16le' : 'utf8')
  const own = new Uint8Array(new ArrayBuffer(bytes.length))
  own.set(bytes)
  return own
}

/** An array of pointers to memory; what it keeps is referenced as long as the result is. */
export interface PointerArray {
  readonly words: BigUint64Array
  readonly kept: readonly ArrayBufferView[]
}

/** Pointers to pieces of memory, such as a `char **`. */
export function pointersTo(koffi: Koffi, pieces: readonly ArrayBufferView[]): PointerArray {
  const words = nativeWords(pieces.length)
  for (const [index, piece] of pieces.entries()) words[index] = koffi.address(piece)
  return { words, kept: pieces }
}

/** Something for tensors without elements to point to: a null pointer is not taken. */
const nothing = new Uint8Array(new ArrayBuffer(64))

/** Memory of a typed array that native code may keep the address of. */
export interface PinnedArray {
  readonly address: bigint
  readonly byteLength: number
  /** Throws `INVALID_ARGUMENT` when the memory has gone to another owner since (`structuredClone` and `postMessage` with transfer). */
  check(): void
}

interface ResizableBuffer {
  readonly resizable?: boolean
  readonly growable?: boolean
}

/**
 * The address of an array's memory. The array must stay referenced while native code uses it.
 * @throws AwqError `INVALID_ARGUMENT` when the memory could move or shrink: a resizable buffer
 */
export function pin(koffi: Koffi, data: TypedArray, name: string): PinnedArray {
  // Asking for `buffer` makes V8 move a small array from its heap, where objects move, to memory of its own.
  const buffer = data.buffer as ArrayBufferLike & ResizableBuffer
  if (buffer.resizable || buffer.growable) {
    throw new AwqError('INVALID_ARGUMENT', `${name}: the memory of a resizable buffer may move; copy it (data.slice())`)
  }
  const { length, byteLength } = data
  return {
    address: length === 0 ? koffi.address(nothing) : koffi.address(data),
    byteLength,
    check() {
      if (data.length !== length) {
        throw new AwqError('INVALID_ARGUMENT', `${name}: its memory was transferred to another owner`)
      }
    },
  }
}

/** Copies native memory into a new array of bytes. */
export const copyFrom = (koffi: Koffi, address: bigint, byteLength: number): ArrayBuffer =>
  byteLength === 0 ? new ArrayBuffer(0) : koffi.view(address, byteLength).slice(0)
