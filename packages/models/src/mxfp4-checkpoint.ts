/**
 * Checkpoints whose matrices are MXFP4 (gpt-oss): codes and scales in two tensors, read as the weights they stand for.
 * @module
 */
import { AwqError, type Checkpoint, decodeMxfp4, MXFP4_BLOCK, type TensorEntry } from '@awq/tensor'
import type { DecodedEntry } from './float8-checkpoint.ts'

const BLOCKS = '_blocks'
const SCALES = '_scales'

const decode = (name: string, blocks: TensorEntry, scales: TensorEntry): DecodedEntry => {
  const leading = scales.shape.slice(0, -1)
  const groups = scales.shape.at(-1) ?? 0
  const expected = [...leading, groups, MXFP4_BLOCK / 2]
  if (blocks.shape.join() !== expected.join() || leading.length === 0 || blocks.dtype !== 'U8' || scales.dtype !== 'U8')
    throw new AwqError(
      'INVALID_FILE',
      `${blocks.file}: ${blocks.name} is ${blocks.dtype} [${blocks.shape.join(', ')}], which does not go with ` +
        `${scales.name} ${scales.dtype} [${scales.shape.join(', ')}]`,
    )
  const shape = [...leading, groups * MXFP4_BLOCK]
  return {
    name,
    dtype: 'F32',
    shape,
    decoded: true,
    file: `${name} as float32`,
    offset: 0,
    length: 4 * shape.reduce((product, size) => product * size, 1),
    async read(options = {}) {
      const [codes, exponents] = await Promise.all([blocks.read(options), scales.read(options)])
      return new Uint8Array(decodeMxfp4(codes, exponents).buffer)
    },
  }
}

/**
 * The checkpoint with each pair `NAME_blocks` `[..., groups, 16]` and `NAME_scales` `[..., groups]` as `NAME`
 * `[..., groups * 32]` in float32, computed when it is read.
 * @throws AwqError `INVALID_FILE` for codes without scales, or of shapes that do not fit
 */
export const decodeMxfp4Pairs = (checkpoint: Checkpoint): Checkpoint => {
  const tensors = new Map(checkpoint.tensors)
  for (const blocks of checkpoint.tensors.values()) {
    if (!blocks.name.endsWith(BLOCKS)) continue
    const name = blocks.name.slice(0, -BLOCKS.length)
    const scales = tensors.get(name + SCALES)
    if (!scales) throw new AwqError('INVALID_FILE', `${blocks.file}: ${blocks.name} has no ${name}${SCALES} beside it`)
    tensors.delete(blocks.name)
    tensors.delete(scales.name)
    tensors.set(name, decode(name, blocks, scales))
  }
  return { ...checkpoint, tensors }
}
