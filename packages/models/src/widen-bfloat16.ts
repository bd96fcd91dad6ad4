/**
 * bfloat16 tensors as float32, for engines that do not know the type.
 * @module
 */
import { bytesOf, type Checkpoint, readFloat32, type TensorEntry } from '@awq/tensor'
import type { DecodedEntry } from './float8-checkpoint.ts'

const widened = (entry: TensorEntry): DecodedEntry => ({
  ...entry,
  decoded: true,
  dtype: 'F32',
  file: `${entry.name} as float32`,
  offset: 0,
  length: 2 * entry.length,
  read: async (options) => bytesOf(await readFloat32(entry, options)),
})

/** The checkpoint with its bfloat16 tensors as float32 (which has all their values), computed when they are read. */
export const widenBfloat16 = <T extends Checkpoint>(checkpoint: T): T => ({
  ...checkpoint,
  tensors: new Map(
    [...checkpoint.tensors].map(([name, entry]) => [
      name,
      entry.dtype === 'BF16' && entry.shape.length > 0 ? widened(entry) : entry,
    ]),
  ),
})
