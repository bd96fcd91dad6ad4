/**
 * The embedding table and the output head, quantized row by row chunk.
 * @module
 */

import { findParameter, type ModelDescription } from '@awq/models'
import { packMatMulNBits } from '@awq/onnx'
import { type QuantSpec, roundRtn, type StoreEntry, type StoreWriter } from '@awq/quantize'
import { type Checkpoint, type DType, fromFloat32, readFloat32, type TensorEntry } from '@awq/tensor'
import { denseEntry, matrixEntries } from './layout.ts'

/** A table to store: at 16 bits as it is, below by rounding to nearest. */
export interface TablePlan {
  /** The name it is stored under. */
  readonly name: string
  readonly source: TensorEntry
  /** null: kept in 16 bits. */
  readonly spec: QuantSpec | null
}

/** Bits of a table. */
export type TableBits = 4 | 8 | 16

const ROW_BYTES = 2 ** 26

/**
 * Which tables are stored. A tied table is stored once, unless head and embedding ask for different bits: then the head
 * is stored under its own name.
 */
export const planTables = (
  checkpoint: Checkpoint,
  description: ModelDescription,
  bits: { readonly embedding: TableBits; readonly head: TableBits },
  spec: Pick<QuantSpec, 'groupSize' | 'symmetric'>,
): TablePlan[] => {
  const specOf = (tableBits: TableBits): QuantSpec | null =>
    tableBits === 16 ? null : { bits: tableBits, groupSize: spec.groupSize, symmetric: spec.symmetric }
  const { vocabSize, hiddenSize, tiedEmbeddings } = description.config
  const entryOf = (name: string) => findParameter(checkpoint, { name, shape: [vocabSize, hiddenSize] })
  const embedding = {
    name: description.embedding,
    source: entryOf(description.embedding),
    spec: specOf(bits.embedding),
  }
  if (tiedEmbeddings && bits.embedding === bits.head) return [embedding]
  const name = `${description.architecture.names.head}.weight`
  return [embedding, { name, source: entryOf(description.head), spec: specOf(bits.head) }]
}

const denseType = (dtype: DType): DType => (dtype === 'BF16' ? 'BF16' : 'F16')

/** The store's entries of a table. */
export const tableEntries = ({ name, source, spec }: TablePlan): StoreEntry[] => {
  const shape = [source.shape[0]!, source.shape[1]!] as const
  return spec ? matrixEntries(name, shape, spec) : [denseEntry(name, denseType(source.dtype), shape)]
}

/** Reads, rounds and writes a table. At most 64 MiB of it are in memory as float. */
export const writeTable = async (
  table: TablePlan,
  store: StoreWriter,
  options: { readonly signal?: AbortSignal; readonly onRows?: (rows: number, total: number) => void } = {},
): Promise<void> => {
  const { name, source, spec } = table
  const [rows, width] = source.shape as [number, number]
  const step = Math.max(1, Math.floor(ROW_BYTES / (width * 4)))
  const parts: Record<string, Uint8Array> = {}
  for (const entry of tableEntries(table)) parts[entry.name] = new Uint8Array(byteSize(entry))
  const put = (part: string, row: number, bytes: Uint8Array) => {
    const whole = parts[part]!
    whole.set(bytes, (whole.length / rows) * row)
  }
  for (let row = 0; row < rows; row += step) {
    options.signal?.throwIfAborted()
    const end = Math.min(rows, row + step)
    const values = await readFloat32(source, {
      rows: [row, end],
      ...(options.signal ? { signal: options.signal } : {}),
    })
    if (!spec) put(name, row, fromFloat32(values, denseType(source.dtype)))
    else {
      const packed = packMatMulNBits(roundRtn(values, [end - row, width], spec))
      put(`${name}.codes`, row, packed.codes)
      put(`${name}.scales`, row, fromUint16(packed.scales))
      if (packed.zeroPoints) put(`${name}.zeroPoints`, row, packed.zeroPoints)
    }
    options.onRows?.(end, rows)
  }
  for (const [part, bytes] of Object.entries(parts)) await store.write(part, bytes)
}

/** The bytes of float16 bits, little-endian. */
export const fromUint16 = (values: Uint16Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

const byteSize = (entry: StoreEntry): number =>
  entry.shape.reduce((product, dim) => product * dim, 1) * (entry.dtype === 'U8' ? 1 : entry.dtype === 'F32' ? 4 : 2)
