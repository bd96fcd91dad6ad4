import { type LayoutDimensions, layoutOf, unpackMatMulNBits } from '@awq/onnx'
import {
  AwqError,
  type Checkpoint,
  checkQuantizedMatrix,
  type DType,
  type FileRange,
  type Folder,
  indicesProblem,
  inputOrderProblem,
  messageOf,
  openCheckpoint,
  type QuantizedMatrix,
  quoted,
  type TensorEntry,
} from '@awq/tensor'
import { effectiveGroupSize, type QuantSpec } from '../spec.ts'
import { type MatrixPart, partName } from './entries.ts'
import { type Manifest, readManifest } from './manifest.ts'

/** A quantized matrix whose bytes are still in their files, in MatMulNBits' layout. */
export interface StoredMatrix extends QuantSpec {
  readonly name: string
  readonly shape: readonly [out: number, inputs: number]
  readonly storedBits: LayoutDimensions['storedBits']
  readonly blockSize: LayoutDimensions['blockSize']
  readonly blocks: number
  /** uint8 [out, blocks, blockSize * storedBits / 8]. */
  readonly codes: TensorEntry
  /** float16 [out, blocks]. */
  readonly scales: TensorEntry
  /** uint8 [out, ceil(blocks * storedBits / 8)]; null when symmetric. */
  readonly zeroPoints: TensorEntry | null
  /** Columns that stay float; null when every column has codes. */
  readonly denseColumns: StoredColumns | null
  /** [in]: the input that each column belongs to; null where it is its own. */
  readonly inputOrder: Int32Array | null
}

/** Columns of a {@link StoredMatrix} that stay float, their values still in the file. */
export interface StoredColumns {
  /** [count], ascending. */
  readonly indices: Int32Array
  /** float16 [out, count]. */
  readonly values: TensorEntry
}

/** An open quantized model. */
export interface Store {
  readonly manifest: Manifest
  /** By parameter name. */
  readonly matrices: ReadonlyMap<string, StoredMatrix>
  /** All tensors that belong to no matrix, by name. */
  readonly dense: ReadonlyMap<string, TensorEntry>
  /** Closes the files. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Opens the quantized store of a folder: reads and checks its manifest, the headers of its files, the indices of
 * dense columns and orders of inputs, no weights.
 * @throws AwqError NOT_FOUND when the folder is none, INVALID_FILE naming the tensor that is missing or whose dtype or
 *   shape is not what the manifest says, whose dense columns are not ascending columns of the matrix, or whose order of
 *   inputs is none
 */
export async function openStore(
  folder: Folder,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Store> {
  const manifest = await readManifest(folder)
  const checkpoint = await openCheckpoint(folder, options)
  const close = () => checkpoint.close()
  try {
    const matrices = new Map<string, StoredMatrix>()
    const dense = new Map(checkpoint.tensors)
    const opened = Object.entries(manifest.matrices).map(([name, matrix]) =>
      storedMatrix(folder.name, checkpoint, name, matrix, options),
    )
    for (const matrix of await Promise.all(opened)) {
      matrices.set(matrix.name, matrix)
      for (const part of matrixParts) dense.delete(partName(matrix.name, part))
    }
    return { manifest, matrices, dense, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

const matrixParts: readonly MatrixPart[] = [
  'codes',
  'scales',
  'zeroPoints',
  'denseIndices',
  'denseValues',
  'inputOrder',
]

async function storedMatrix(
  store: string,
  checkpoint: Checkpoint,
  name: string,
  { shape, denseColumns: count, inputOrder: ordered, ...spec }: Manifest['matrices'][string],
  options: { readonly signal?: AbortSignal | undefined },
): Promise<StoredMatrix> {
  const what = `${store}: ${quoted(name)} (${shape.join(' x ')}, ${spec.bits} bits, group ${spec.groupSize})`
  let layout: LayoutDimensions
  try {
    layout = layoutOf({ ...spec, shape })
  } catch (cause) {
    throw new AwqError('INVALID_FILE', `${what} cannot be stored: ${messageOf(cause)}`, { cause })
  }
  const part = (kind: MatrixPart, dtype: DType, expected: readonly number[]): TensorEntry => {
    const entry = checkpoint.tensors.get(partName(name, kind))
    if (entry === undefined) throw new AwqError('INVALID_FILE', `${what} has no tensor ${partName(name, kind)}`)
    if (entry.dtype !== dtype || !sameShape(entry.shape, expected)) {
      throw new AwqError(
        'INVALID_FILE',
        `${what}: ${entry.name} should be ${dtype} [${expected.join(', ')}], but is ${entry.dtype} [${entry.shape.join(', ')}]`,
      )
    }
    return entry
  }
  const { storedBits, blockSize, blocks, codesShape, scalesShape, zeroPointsShape } = layout
  if (zeroPointsShape === null && checkpoint.tensors.has(partName(name, 'zeroPoints'))) {
    throw new AwqError('INVALID_FILE', `${what} is symmetric but has zero points`)
  }
  const denseOf = async (columns: number): Promise<StoredColumns> => {
    // Both shapes are checked before anything is read.
    const stored = part('denseIndices', 'I32', [columns])
    const values = part('denseValues', 'F16', [shape[0], columns])
    const indices = new Int32Array((await stored.read(options)).slice().buffer)
    const problem = indicesProblem(indices, shape[1])
    if (problem !== null) throw new AwqError('INVALID_FILE', `${what}: ${stored.name}: ${problem}`)
    return { indices, values }
  }
  const orderOf = async (): Promise<Int32Array> => {
    const stored = part('inputOrder', 'I32', [shape[1]])
    const order = new Int32Array((await stored.read(options)).slice().buffer)
    const problem = inputOrderProblem(order, shape[1])
    if (problem !== null) throw new AwqError('INVALID_FILE', `${what}: ${stored.name}: ${problem}`)
    return order
  }
  const isStray = (kind: MatrixPart) => checkpoint.tensors.has(partName(name, kind))
  if (count === undefined && (isStray('denseIndices') || isStray('denseValues'))) {
    throw new AwqError('INVALID_FILE', `${what} has dense columns that the manifest does not mention`)
  }
  if (count !== undefined && count > shape[1]) {
    throw new AwqError('INVALID_FILE', `${what} cannot have ${count} dense columns`)
  }
  if (ordered === undefined && isStray('inputOrder')) {
    throw new AwqError('INVALID_FILE', `${what} has an order of inputs that the manifest does not mention`)
  }
  return {
    name,
    ...spec,
    shape,
    storedBits,
    blockSize,
    blocks,
    codes: part('codes', 'U8', codesShape),
    scales: part('scales', 'F16', scalesShape),
    zeroPoints: zeroPointsShape === null ? null : part('zeroPoints', 'U8', zeroPointsShape),
    denseColumns: count === undefined ? null : await denseOf(count),
    inputOrder: ordered === undefined ? null : await orderOf(),
  }
}

const sameShape = (one: readonly number[], other: readonly number[]): boolean =>
  one.length === other.length && one.every((size, axis) => size === other[axis])

/**
 * Reads a matrix of a store: one code per byte, one scale and zero point per group.
 * @throws AwqError NOT_FOUND for a name that is no quantized matrix, INVALID_FILE for bytes that no matrix packs to
 */
export async function readMatrix(
  store: Store,
  name: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<QuantizedMatrix> {
  const matrix = store.matrices.get(name)
  if (matrix === undefined) {
    throw new AwqError('NOT_FOUND', `the store has no quantized matrix ${quoted(name)}`)
  }
  const { bits, shape, storedBits, blockSize, blocks, denseColumns, inputOrder } = matrix
  const [codes, scales, zeroPoints, dense] = await Promise.all([
    matrix.codes.read(options),
    matrix.scales.read(options),
    matrix.zeroPoints?.read(options) ?? null,
    denseColumns?.values.read(options) ?? null,
  ])
  const layout = { storedBits, blockSize, blocks, codes, scales: uint16Of(scales), zeroPoints }
  try {
    const quantized = unpackMatMulNBits(layout, {
      bits,
      groupSize: effectiveGroupSize(matrix.groupSize, shape[1]),
      shape,
    })
    const whole: QuantizedMatrix = {
      ...quantized,
      ...(denseColumns && dense ? { denseColumns: { indices: denseColumns.indices, values: uint16Of(dense) } } : {}),
      ...(inputOrder ? { inputOrder } : {}),
    }
    checkQuantizedMatrix(whole)
    return whole
  } catch (cause) {
    throw new AwqError('INVALID_FILE', `${quoted(name)} is damaged: ${messageOf(cause)}`, { cause })
  }
}

const uint16Of = (bytes: Uint8Array): Uint16Array =>
  bytes.byteOffset % 2 === 0
    ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
    : new Uint16Array(bytes.slice().buffer)

/**
 * The single range that tensors fill together when they follow each other in one file, else null: what makes the
 * codes of q, k and v the codes of one matrix.
 */
export function adjoiningRange(tensors: readonly FileRange[]): FileRange | null {
  const [first] = tensors
  if (first === undefined) return null
  let end = first.offset
  for (const { file, offset, length } of tensors) {
    if (file !== first.file || offset !== end) return null
    end += length
  }
  return { file: first.file, offset: first.offset, length: end - first.offset }
}
