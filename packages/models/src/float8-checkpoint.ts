/**
 * Checkpoints of 8-bit floating point: E4M3 codes (OCP 8-bit floating point specification) with scales in tensors of
 * their own, read as the weights that they stand for.
 * @module
 */
import { AwqError, bytesOf, type Checkpoint, elementCount, readFloat32, type TensorEntry } from '@awq/tensor'
import type { StoredFormat } from './stored-format.ts'

/** A tensor that is computed when it is read: its `file` is not one of the folder's. */
export interface DecodedEntry extends TensorEntry {
  readonly decoded: true
}

/** What the scales of a matrix `[rows, columns]` are shared by. */
interface Scales {
  readonly entry: TensorEntry
  /** Rows and columns of one scale. */
  readonly block: readonly [rows: number, columns: number]
}

/** Tensors beside the codes: scales of weights, and of activations and caches, which are not for us. */
const beside = /(?:_scale_inv|_scale|\.(?:input|output|k|v|q)_scale)$/

const isCode = ({ dtype }: TensorEntry): boolean => dtype === 'F8_E4M3'

/** One scale for all, for each row `[rows]` or `[rows, 1]`, or for each block, whose size config.json tells. */
const scalesOf = (code: TensorEntry, entry: TensorEntry, block: StoredFormat['block']): Scales => {
  const [rows, columns] = code.shape as readonly [number, number]
  const [first = 1, second = 1] = entry.shape
  if (elementCount(entry.shape) === 1) return { entry, block: [rows, columns] }
  if (first === rows && second === 1 && entry.shape.length <= 2) return { entry, block: [1, columns] }
  if (block && first === Math.ceil(rows / block[0]) && second === Math.ceil(columns / block[1])) return { entry, block }
  throw new AwqError(
    'INVALID_FILE',
    `${entry.file}: ${entry.name} has shape [${entry.shape.join(', ')}], which is no scale of ${code.name} ` +
      `[${code.shape.join(', ')}]${block ? ` in blocks of ${block.join(' x ')}` : ', and config.json names no weight_block_size'}`,
  )
}

const floatBytes = 4

const decode = (code: TensorEntry, scales: Scales): DecodedEntry => {
  const [rows, columns] = code.shape as readonly [number, number]
  const [high, wide] = scales.block
  const across = Math.ceil(columns / wide)
  let known: Promise<Float32Array> | undefined
  return {
    ...code,
    decoded: true,
    dtype: 'F32',
    file: `${code.name} as float32`,
    offset: 0,
    length: rows * columns * floatBytes,
    async read(options = {}) {
      known ??= readFloat32(scales.entry)
      const [values, factors] = await Promise.all([readFloat32(code, options), known])
      const start = options.rows?.[0] ?? 0
      for (let at = 0; at < values.length; at++) {
        const row = Math.floor((start + Math.floor(at / columns)) / high)
        values[at]! *= factors[row * across + Math.floor((at % columns) / wide)]!
      }
      return bytesOf(values)
    },
  }
}

/**
 * The checkpoint with every matrix of codes as float32 `[rows, columns]`, w = code * scale, computed when it is read, and
 * without the tensors of scales. The scale of `NAME` is `NAME_scale_inv` (DeepSeek-V3) or `NAME_scale`.
 * @throws AwqError `INVALID_FILE` when codes have no scale, or one of a shape that fits in no way
 */
export const decodeFloat8 = (checkpoint: Checkpoint, { kind, block }: StoredFormat): Checkpoint => {
  const codes = [...checkpoint.tensors.values()].filter(isCode)
  if (kind === 'plain' || codes.length === 0) return checkpoint
  const tensors = new Map([...checkpoint.tensors].filter(([name]) => !beside.test(name)))
  for (const code of codes) {
    const scale = checkpoint.tensors.get(`${code.name}_scale_inv`) ?? checkpoint.tensors.get(`${code.name}_scale`)
    if (!scale || code.shape.length !== 2)
      throw new AwqError(
        'INVALID_FILE',
        `${code.file}: ${code.name} is F8_E4M3 of shape [${code.shape.join(', ')}]; a matrix with ${code.name}_scale_inv ` +
          `or ${code.name}_scale beside it is supported`,
      )
    tensors.set(code.name, decode(code, scalesOf(code, scale, block)))
  }
  return { ...checkpoint, tensors }
}
