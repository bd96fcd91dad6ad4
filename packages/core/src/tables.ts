/**
 * The embedding table and the output head, quantized row by row chunk.
 * @module
 */

import { findParameter, type ModelDescription } from '@awq/models'
import { matrixEntries, type QuantSpec, roundRtn, type StoreEntry, type StoreWriter } from '@awq/quantize'
import { type Checkpoint, type DType, fromFloat32, readFloat32, type TensorEntry } from '@awq/tensor'
import { denseEntry } from './layout.ts'

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

const CHUNK_BYTES = 2 ** 26

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

/** Reads, rounds and writes a table, 64 MiB of float at a time. */
export const writeTable = async (
  table: TablePlan,
  store: StoreWriter,
  options: {
    readonly signal?: AbortSignal | undefined
    readonly onRows?: ((rows: number, total: number) => void) | undefined
  } = {},
): Promise<void> => {
  const { name, source, spec } = table
  const [rows, width] = source.shape as [number, number]
  const step = Math.max(1, Math.floor(CHUNK_BYTES / (width * 4)))
  const { signal, onRows } = options
  for (let row = 0; row < rows; row += step) {
    signal?.throwIfAborted()
    const end = Math.min(rows, row + step)
    const values = await readFloat32(source, { rows: [row, end], signal })
    if (spec) await store.writeMatrix(name, roundRtn(values, [end - row, width], spec, undefined, { name }), row)
    else {
      const bytes = fromFloat32(values, denseType(source.dtype))
      await store.write(name, bytes, row * (bytes.length / (end - row)))
    }
    onRows?.(end, rows)
  }
}
