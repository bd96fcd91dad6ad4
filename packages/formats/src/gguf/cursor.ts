/**
 * Numbers and texts of a GGUF header, read one after the other from the part of a file that is in memory.
 * @module
 */
import { AwqError } from '@awq/tensor'

/** A value of a header's metadata. */
export type GgufValue = number | boolean | string | readonly GgufValue[]

/** Thrown inside this module where a header goes on behind the bytes that are in memory; `size` is what it takes. */
export class HeaderGoesOn extends Error {
  readonly size: number
  constructor(size: number) {
    super('the header is longer')
    this.size = size
  }
}

/** A place in a header. */
export interface Cursor {
  readonly name: string
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Of the whole file. */
  readonly size: number
  at: number
}

export const refuse = (name: string, problem: string): never => {
  throw new AwqError('INVALID_FILE', `${name}: ${problem}`)
}

/**
 * Goes on by `length` bytes and returns where they begin.
 * @throws AwqError INVALID_FILE when they lie behind the end of the file, before anything is allocated for them
 */
export const take = (cursor: Cursor, length: number, what: string): number => {
  const { at, size, bytes, name } = cursor
  if (!(length <= size - at)) {
    refuse(name, `${what} at byte ${at} would take ${length} bytes, but the file ends at ${size}; it is cut or damaged`)
  }
  if (at + length > bytes.length) throw new HeaderGoesOn(at + length)
  cursor.at = at + length
  return at
}

export const uint32 = (cursor: Cursor, what: string): number => cursor.view.getUint32(take(cursor, 4, what), true)

/** A 64-bit number; those beyond 2^53 lose their last digits, and are more than any count or offset that is taken. */
export const uint64 = (cursor: Cursor, what: string): number =>
  Number(cursor.view.getBigUint64(take(cursor, 8, what), true))

// Vocabularies hold tokens that begin with a byte-order mark, and pieces of characters.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export const text = (cursor: Cursor, what: string): string => {
  const length = uint64(cursor, `the length of ${what}`)
  const at = take(cursor, length, what)
  return decoder.decode(cursor.bytes.subarray(at, at + length))
}

const scalars: Readonly<
  Record<number, readonly [bytes: number, read: (view: DataView, at: number) => number | boolean]>
> = {
  0: [1, (view, at) => view.getUint8(at)],
  1: [1, (view, at) => view.getInt8(at)],
  2: [2, (view, at) => view.getUint16(at, true)],
  3: [2, (view, at) => view.getInt16(at, true)],
  4: [4, (view, at) => view.getUint32(at, true)],
  5: [4, (view, at) => view.getInt32(at, true)],
  6: [4, (view, at) => view.getFloat32(at, true)],
  7: [1, (view, at) => view.getUint8(at) !== 0],
  10: [8, (view, at) => Number(view.getBigUint64(at, true))],
  11: [8, (view, at) => Number(view.getBigInt64(at, true))],
  12: [8, (view, at) => view.getFloat64(at, true)],
}

const TEXT = 8
const ARRAY = 9
/** Arrays of arrays are allowed by the format and used by nobody. */
const MAX_DEPTH = 4
/** Vocabularies have less than a million tokens. */
const MAX_ELEMENTS = 2 ** 24

/** A value of type `type`. */
export const value = (cursor: Cursor, type: number, what: string, depth = 0): GgufValue => {
  const scalar = scalars[type]
  if (scalar) return scalar[1](cursor.view, take(cursor, scalar[0], what))
  if (type === TEXT) return text(cursor, what)
  if (type !== ARRAY || depth >= MAX_DEPTH) return refuse(cursor.name, `${what} has the unknown type ${type}`)
  const kind = uint32(cursor, what)
  const count = uint64(cursor, `the length of ${what}`)
  const smallest = scalars[kind]?.[0] ?? (kind === TEXT ? 8 : 12)
  if (count > MAX_ELEMENTS) refuse(cursor.name, `${what} has ${count} elements, more than the ${MAX_ELEMENTS} allowed`)
  // Asked for as a whole first: a forged count is refused before its array exists.
  const { at } = cursor
  take(cursor, count * smallest, `${what}, ${count} elements,`)
  cursor.at = at
  return Array.from({ length: count }, () => value(cursor, kind, what, depth + 1))
}
