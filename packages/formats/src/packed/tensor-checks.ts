/**
 * What tensors of packed matrices are held to before they are read, and their bytes as words.
 * @module
 */
import { AwqError, type DType, quoted, type TensorEntry } from '@awq/tensor'

/** `I32 [3, 4]`. */
export const tensorText = ({ dtype, shape }: Pick<TensorEntry, 'dtype' | 'shape'>): string =>
  `${dtype} [${shape.join(', ')}]`

/** @throws AwqError INVALID_FILE naming the tensor and its file */
export const refuseTensor = (entry: TensorEntry, problem: string): never => {
  throw new AwqError('INVALID_FILE', `${entry.file}: ${quoted(entry.name)} ${problem}`)
}

/** @throws AwqError INVALID_FILE when a tensor has another dtype or shape */
export const expectTensor = (entry: TensorEntry, dtypes: readonly DType[], shape: readonly number[]): void => {
  const { dtype, shape: own } = entry
  const fits = own.length === shape.length && own.every((size, axis) => size === shape[axis])
  if (!fits || !dtypes.includes(dtype)) {
    refuseTensor(entry, `is ${tensorText(entry)}, but ${dtypes.join(' or ')} [${shape.join(', ')}] is expected`)
  }
}

/** Bytes of a tensor as 32-bit or 16-bit words, copied so that they are aligned. */
export const words32 = (bytes: Uint8Array): Uint32Array => new Uint32Array(bytes.slice().buffer)
export const words16 = (bytes: Uint8Array): Uint16Array => new Uint16Array(bytes.slice().buffer)
