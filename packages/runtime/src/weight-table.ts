/**
 * One table of parameters for float checkpoints and quantized stores: a name leads to a matrix of codes or to a dense
 * tensor, both still in their files.
 * @module
 */
import { type ModelDescription, modelParameters, type ParameterSpec, storedShape } from '@awq/models'
import { AwqError, type Checkpoint, type FileRange, type TensorEntry } from '@awq/tensor'
import type { PackedColumns } from './dense-columns.ts'

/** A matrix in the layout of MatMulNBits, by where its bytes are. */
export interface PackedMatrix {
  readonly kind: 'packed'
  readonly shape: readonly [rows: number, columns: number]
  /** Bits per code as stored: 2, 4 or 8. */
  readonly storedBits: number
  readonly blockSize: number
  readonly blocks: number
  /** uint8 `[out, blocks, blockSize * storedBits / 8]` */
  readonly codes: FileRange
  /** float16 `[out, blocks]` */
  readonly scales: FileRange
  /** uint8 `[out, ceil(blocks * storedBits / 8)]`; null for the middle of the range */
  readonly zeroPoints: FileRange | null
  /** Columns that stay float; null when every column has codes. */
  readonly denseColumns: PackedColumns | null
  /** `[in]`: the input that each column belongs to; null where it is its own. */
  readonly inputOrder: Int32Array | null
}

/** A tensor that stays as floating point. */
export interface DenseTensor {
  readonly kind: 'dense'
  readonly entry: TensorEntry
}

/** Parameters by their full names, suffix included. */
export interface WeightTable {
  readonly files: readonly string[]
  /**
   * @param transposed a dense tensor is the transpose of what the shape says; a packed one never is
   * @throws AwqError NOT_FOUND when there is none of that name, CONFIG when its shape is another
   */
  find(name: string, shape: readonly number[], transposed?: boolean): PackedMatrix | DenseTensor
  has(name: string): boolean
}

/** The table over any source of parameters. `source` is what messages call it. */
export const weightTable = (
  source: string,
  packed: ReadonlyMap<string, PackedMatrix>,
  dense: ReadonlyMap<string, TensorEntry>,
): WeightTable => {
  const files = new Set<string>()
  for (const entry of dense.values()) files.add(entry.file)
  for (const matrix of packed.values()) {
    const { codes, scales, zeroPoints, denseColumns } = matrix
    for (const span of [codes, scales, zeroPoints, denseColumns?.values]) if (span) files.add(span.file)
  }
  return {
    files: [...files].sort(),
    has: (name) => packed.has(name) || dense.has(name),
    find(name, wanted, transposed = false) {
      const matrix = packed.get(name)
      const entry = dense.get(name)
      const found = matrix?.shape ?? entry?.shape
      const shape = matrix ? wanted : storedShape({ shape: wanted, transposed })
      if (!found) {
        throw new AwqError(
          'NOT_FOUND',
          `${source} has no tensor ${name}, which its config.json asks for; is it complete?`,
        )
      }
      if (found.length !== shape.length || found.some((dim, i) => dim !== shape[i])) {
        throw new AwqError(
          'CONFIG',
          `${source}: ${name} has shape [${found.join(', ')}], but config.json asks for [${shape.join(', ')}].`,
        )
      }
      return matrix ?? { kind: 'dense', entry: entry as TensorEntry }
    },
  }
}

/** The table of a float checkpoint. */
export const checkpointTable = (source: string, checkpoint: Checkpoint): WeightTable =>
  weightTable(source, new Map(), checkpoint.tensors)

/**
 * Looks up every parameter that the description names, before anything is read.
 * @throws AwqError as `WeightTable.find`
 */
export const checkTable = (table: WeightTable, description: ModelDescription): void => {
  checkParameters(table, modelParameters(description))
}

/**
 * Looks up parameters.
 * @throws AwqError as `WeightTable.find`
 */
export const checkParameters = (table: WeightTable, parameters: Iterable<ParameterSpec>): void => {
  for (const { name, shape, transposed, optional } of parameters)
    if (!optional || table.has(name)) table.find(name, shape, transposed)
}
