import { type LayoutDimensions, layoutOf, unpackMatMulNBits } from '@awq/onnx'
import {
  AwqError,
  type Checkpoint,
  type DType,
  type FileRange,
  type Folder,
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
 * Opens the quantized store of a folder: reads and checks its manifest and the headers of its files, no weights.
 * @throws AwqError NOT_FOUND when the folder is none, INVALID_FILE naming the tensor that is missing or whose dtype or
 *   shape is not what the manifest says
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
    for (const [name, { shape, ...spec }] of Object.entries(manifest.matrices)) {
      const matrix = storedMatrix(folder.name, checkpoint, name, shape, spec)
      matrices.set(name, matrix)
      for (const part of [matrix.codes, matrix.scales, matrix.zeroPoints]) if (part !== null) dense.delete(part.name)
    }
    return { manifest, matrices, dense, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

function storedMatrix(
  store: string,
  checkpoint: Checkpoint,
  name: string,
  shape: readonly [number, number],
  spec: QuantSpec,
): StoredMatrix {
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
  const { bits, shape, storedBits, blockSize, blocks } = matrix
  const [codes, scales, zeroPoints] = await Promise.all([
    matrix.codes.read(options),
    matrix.scales.read(options),
    matrix.zeroPoints?.read(options) ?? null,
  ])
  const layout = { storedBits, blockSize, blocks, codes, scales: uint16Of(scales), zeroPoints }
  try {
    const quantized = unpackMatMulNBits(layout, {
      bits,
      groupSize: effectiveGroupSize(matrix.groupSize, shape[1]),
      shape,
    })
    return checkScales(quantized)
  } catch (cause) {
    throw new AwqError('INVALID_FILE', `${quoted(name)} is damaged: ${messageOf(cause)}`, { cause })
  }
}

const uint16Of = (bytes: Uint8Array): Uint16Array =>
  bytes.byteOffset % 2 === 0
    ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
    : new Uint16Array(bytes.slice().buffer)

function checkScales(matrix: QuantizedMatrix): QuantizedMatrix {
  const index = matrix.scales.findIndex((scale) => (scale & 0x7c00) === 0x7c00)
  if (index >= 0) throw new AwqError('INVALID_FILE', `the scale of group ${index} is not finite`)
  return matrix
}

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
