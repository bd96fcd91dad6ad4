/**
 * The embedding table and the output head, quantized row by row chunk.
 * @module
 */

import { findParameter, type ModelDescription } from '@awq/models'
import { matrixEntries, type QuantSpec, roundRtn, type StoreEntry, type StoreWriter } from '@awq/quantize'
import {
  AwqError,
  type Checkpoint,
  type DType,
  fromFloat32,
  readFloat32,
  releaseArrays,
  type TensorEntry,
} from '@awq/tensor'
import { denseEntry } from './layout.ts'
import { type BitsPlan, sameSpec } from './plan.ts'

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

const CHUNK_BYTES = 2 ** 23

/**
 * Tables of 8 bits have a grid of their own: half a step of 8 bits is far below what 4-bit linears lose, and the products
 * of ONNX Runtime read symmetric codes in blocks of 128 about a fifth faster than asymmetric ones in blocks of 64.
 */
export const EIGHT_BITS: QuantSpec = { bits: 8, groupSize: 128, symmetric: true }

/**
 * The spec of a table of so many bits; null at 16. The grid given is that of 4-bit tables.
 * @throws AwqError `INVALID_ARGUMENT` for other bits
 */
export const tableSpec = (
  bits: TableBits,
  { groupSize, symmetric }: Pick<QuantSpec, 'groupSize' | 'symmetric'>,
): QuantSpec | null => {
  if (bits === 16) return null
  if (bits === 8) return EIGHT_BITS
  if (bits === 4) return { bits, groupSize, symmetric }
  throw new AwqError('INVALID_ARGUMENT', `tables are stored in 4, 8 or 16 bits, not ${bits}`)
}

/**
 * Which tables are stored. A tied table is stored once, unless head and embedding have different specs: then the head
 * is stored under its own name.
 */
export const planTables = (
  checkpoint: Checkpoint,
  description: ModelDescription,
  specs: Pick<BitsPlan, 'embedding' | 'head'>,
): TablePlan[] => {
  const { vocabSize, embeddingSize, tiedEmbeddings } = description.config
  const entryOf = (name: string) => findParameter(checkpoint, { name, shape: [vocabSize, embeddingSize] })
  const embedding = { name: description.embedding, source: entryOf(description.embedding), spec: specs.embedding }
  if (tiedEmbeddings && sameSpec(specs.embedding, specs.head)) return [embedding]
  const name = description.headTable
  return [embedding, { name, source: entryOf(description.head), spec: specs.head }]
}

/** The type of a table that stays float, by its source's. */
export const denseType = (dtype: DType): DType => (dtype === 'BF16' ? 'BF16' : 'F16')

/** The store's entries of a table. */
export const tableEntries = ({ name, source, spec }: TablePlan): StoreEntry[] => {
  const shape = [source.shape[0]!, source.shape[1]!] as const
  return spec ? matrixEntries(name, shape, spec) : [denseEntry(name, denseType(source.dtype), shape)]
}

/** Rows of a table that are in memory at once. */
const chunkRows = (width: number): number => Math.max(1, Math.floor(CHUNK_BYTES / (width * 4)))

/** Reads, rounds and writes a table, 8 MiB of float at a time. */
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
  const step = chunkRows(width)
  const { signal, onRows } = options
  for (let row = 0; row < rows; row += step) {
    signal?.throwIfAborted()
    const end = Math.min(rows, row + step)
    const values = await readFloat32(source, { rows: [row, end], signal })
    if (spec) {
      const matrix = roundRtn(values, [end - row, width], spec, undefined, { name })
      await store.writeMatrix(name, matrix, row)
      releaseArrays([matrix.codes])
    } else {
      const bytes = fromFloat32(values, denseType(source.dtype))
      await store.write(name, bytes, row * (bytes.length / (end - row)))
    }
    releaseArrays([values])
    onRows?.(end, rows)
  }
}
