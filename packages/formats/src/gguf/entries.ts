/**
 * Tensors of GGUF files as entries of a checkpoint: in the type that they are stored in, or as the float32 that their blocks
 * stand for; rows in our order, norms without the one that is added to them.
 * @module
 */
import {
  AwqError,
  bytesOf,
  byteWidth,
  type DType,
  elementCount,
  quoted,
  type ReadOptions,
  type TensorEntry,
  toFloat32,
} from '@awq/tensor'
import { permuteRows } from './architectures.ts'
import type { PlacedTensor } from './files.ts'

/** How a tensor differs from the parameter that it is. */
export interface Differences {
  /** Rows are ordered otherwise inside each of so many heads. */
  readonly heads: number | null
  /** What is taken from every element. */
  readonly offset: 0 | 1
}

const FLOATS: ReadonlySet<DType> = new Set<DType>(['F64', 'F32', 'F16', 'BF16'])

/** Rows of a tensor, and bytes of one. */
const rowsOf = ({ shape, length }: PlacedTensor) => ({ rows: shape[0]!, rowBytes: length / shape[0]! })

/**
 * Bytes of rows as they are stored, in our order.
 * @throws AwqError INVALID_ARGUMENT for rows that it does not have
 */
export const readRows = async (
  tensor: PlacedTensor,
  { heads }: Pick<Differences, 'heads'>,
  { rows: range, signal }: ReadOptions = {},
): Promise<Uint8Array> => {
  const { rows, rowBytes } = rowsOf(tensor)
  const [start, end] = range ?? [0, rows]
  if (!(start >= 0 && start <= end && end <= rows)) {
    throw new AwqError('INVALID_ARGUMENT', `${tensor.name} [${tensor.shape.join(', ')}] has no rows ${start} to ${end}`)
  }
  // Rows change places within their head: heads are read whole.
  const head = heads === null ? 1 : rows / heads
  const [first, last] = [Math.floor(start / head), Math.ceil(end / head)]
  const bytes = await tensor.source.read(tensor.offset + first * head * rowBytes, (last - first) * head * rowBytes, {
    signal,
  })
  if (heads === null || bytes.length === 0) return bytes
  const turned = permuteRows(bytes, (last - first) * head, last - first, 'model')
  return turned.slice((start - first * head) * rowBytes, (end - first * head) * rowBytes)
}

/** Rows as the float32 numbers that they stand for. */
const decodeRows = (bytes: Uint8Array, { type }: PlacedTensor, offset: number): Float32Array => {
  const { dtype, decode, block, bytes: size } = type
  let values: Float32Array
  if (dtype !== undefined) values = toFloat32(bytes, dtype)
  else {
    const count = bytes.length / size
    values = new Float32Array(count * block)
    for (let i = 0; i < count; i++) decode!(bytes, i * size, values, i * block)
  }
  if (offset !== 0) for (let i = 0; i < values.length; i++) values[i]! -= offset
  return values
}

/**
 * The entry of a tensor under our name.
 * @throws AwqError UNSUPPORTED for blocks that are not read, INVALID_FILE for integers and for rows that heads do not divide
 */
export const ggufEntry = (name: string, tensor: PlacedTensor, differences: Differences): TensorEntry => {
  const { type, shape, source } = tensor
  const { heads, offset } = differences
  const fail = (code: 'INVALID_FILE' | 'UNSUPPORTED', problem: string): never => {
    throw new AwqError(code, `${source.name}: tensor ${quoted(tensor.name)} ${problem}`)
  }
  if (heads !== null && shape[0]! % (2 * heads) !== 0) fail('INVALID_FILE', `has ${shape[0]} rows for ${heads} heads`)
  if (type.dtype !== undefined && !FLOATS.has(type.dtype)) fail('INVALID_FILE', `holds integers (${type.name})`)
  if (type.dtype === undefined && !type.decode) {
    fail('UNSUPPORTED', `is ${type.name}, blocks that are not read here; take a file of Q4_0, Q8_0, F16 or K-quants`)
  }
  if (type.dtype !== undefined && offset === 0) {
    const stored = { name, dtype: type.dtype, shape, length: tensor.length }
    const read = (options?: ReadOptions) => readRows(tensor, differences, options)
    if (heads === null) return { ...stored, file: tensor.file, offset: tensor.offset, read }
    return { ...stored, file: `${name} in another order`, offset: 0, ...computed, read }
  }
  return {
    name,
    dtype: 'F32',
    shape,
    file: `${name} as float32`,
    offset: 0,
    length: elementCount(shape) * byteWidth.F32,
    ...computed,
    async read(options) {
      const values = decodeRows(await readRows(tensor, differences, options), tensor, offset)
      return bytesOf(values)
    },
  }
}

/** Marks entries whose bytes are in no file (`decodedFolder` of models). */
const computed = { decoded: true }
