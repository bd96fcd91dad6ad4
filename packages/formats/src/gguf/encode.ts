/**
 * The header of a GGUF file as bytes (version 3).
 * @module
 */
import type { GgufType } from './types.ts'

/** A value with the type that it is written in. */
export type GgufField =
  | { readonly type: 'uint32' | 'float32'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'float32s' | 'int32s'; readonly value: readonly number[] }

/** A tensor to write. */
export interface GgufTensorToWrite {
  readonly name: string
  readonly type: GgufType
  /** Rows first. */
  readonly shape: readonly number[]
}

/** Where everything of a file will lie. */
export interface PlannedGguf {
  readonly header: Uint8Array
  /** By the tensor's name; from the start of the file. */
  readonly places: ReadonlyMap<string, { readonly offset: number; readonly length: number }>
  readonly size: number
}

const ALIGNMENT = 32
const ids = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const

/** Bytes that grow as they are written. */
const growing = () => {
  let bytes = new Uint8Array(2 ** 16)
  let view = new DataView(bytes.buffer)
  let at = 0
  const reserve = (length: number): number => {
    if (at + length > bytes.length) {
      const larger = new Uint8Array(Math.max(at + length, 2 * bytes.length))
      larger.set(bytes)
      bytes = larger
      view = new DataView(bytes.buffer)
    }
    at += length
    return at - length
  }
  // Room first: it may move the bytes elsewhere.
  const put = (length: number, write: (at: number) => void): void => write(reserve(length))
  const encoder = new TextEncoder()
  return {
    uint32: (value: number) => put(4, (to) => view.setUint32(to, value, true)),
    int32: (value: number) => put(4, (to) => view.setInt32(to, value, true)),
    float32: (value: number) => put(4, (to) => view.setFloat32(to, value, true)),
    bool: (value: boolean) => put(1, (to) => view.setUint8(to, value ? 1 : 0)),
    uint64: (value: number) => put(8, (to) => view.setBigUint64(to, BigInt(value), true)),
    string(value: string) {
      const encoded = encoder.encode(value)
      this.uint64(encoded.length)
      put(encoded.length, (to) => bytes.set(encoded, to))
    },
    pad: (multiple: number) => reserve((multiple - (at % multiple)) % multiple),
    done: () => bytes.slice(0, at),
  }
}

type Writer = ReturnType<typeof growing>

const writeField = (writer: Writer, field: GgufField): void => {
  const list = <T>(type: number, values: readonly T[], write: (value: T) => void) => {
    writer.uint32(ids.array)
    writer.uint32(type)
    writer.uint64(values.length)
    for (const value of values) write(value)
  }
  if (field.type === 'strings') list(ids.string, field.value, (value) => writer.string(value))
  else if (field.type === 'float32s') list(ids.float32, field.value, (value) => writer.float32(value))
  else if (field.type === 'int32s') list(ids.int32, field.value, (value) => writer.int32(value))
  else writer.uint32(ids[field.type])
  if (field.type === 'bool') writer.bool(field.value)
  else if (field.type === 'string') writer.string(field.value)
  else if (field.type === 'uint32') writer.uint32(field.value)
  else if (field.type === 'float32') writer.float32(field.value)
}

/** Bytes of a tensor. */
export const ggufBytes = ({ type, shape }: Pick<GgufTensorToWrite, 'type' | 'shape'>): number =>
  (shape.reduce((product, size) => product * size, 1) / type.block) * type.bytes

/** Lays out a file: its header, then the tensors in their order, each at a multiple of 32 bytes. */
export const planGguf = (
  fields: ReadonlyMap<string, GgufField>,
  tensors: readonly GgufTensorToWrite[],
): PlannedGguf => {
  const writer = growing()
  writer.uint32(0x46554747)
  writer.uint32(3)
  writer.uint64(tensors.length)
  writer.uint64(fields.size)
  for (const [key, field] of fields) {
    writer.string(key)
    writeField(writer, field)
  }
  const spans: { readonly name: string; readonly offset: number; readonly length: number }[] = []
  let at = 0
  for (const { name, type, shape } of tensors) {
    writer.string(name)
    writer.uint32(shape.length)
    for (const size of shape.toReversed()) writer.uint64(size)
    writer.uint32(type.id)
    writer.uint64(at)
    const length = ggufBytes({ type, shape })
    spans.push({ name, offset: at, length })
    at = Math.ceil((at + length) / ALIGNMENT) * ALIGNMENT
  }
  writer.pad(ALIGNMENT)
  const header = writer.done()
  const places = spans.map(({ name, offset, length }) => [name, { offset: header.length + offset, length }] as const)
  return { header, places: new Map(places), size: header.length + at }
}
