/**
 * Checkpoints that hold the matrices of all experts in one tensor: each as a tensor of its own.
 * @module
 */
import type { Checkpoint, TensorEntry } from '@awq/tensor'
import type { ModelDescription } from './describe.ts'
import { expertName } from './expert-steps.ts'

/** One of the stacked tensors; its bytes stay where they are. */
const sliceOf = (stack: TensorEntry, index: number, name: string): TensorEntry => {
  const shape = stack.shape.slice(1)
  const length = stack.length / stack.shape[0]!
  const place =
    'decoded' in stack
      ? { file: `${name} as float32`, offset: 0 }
      : { file: stack.file, offset: stack.offset + index * length }
  return {
    ...stack,
    ...place,
    name,
    shape,
    length,
    async read({ rows, ...options } = {}) {
      const bytes = await stack.read({ ...options, rows: [index, index + 1] })
      if (!rows) return bytes
      const rowBytes = length / shape[0]!
      return bytes.slice(rows[0] * rowBytes, rows[1] * rowBytes)
    },
  }
}

/** The checkpoint with the tensors that the family's `stacked` names taken apart, expert by expert. */
export const unstackExperts = (
  checkpoint: Checkpoint,
  { stacked, blocks, parameter }: Pick<ModelDescription, 'stacked' | 'blocks' | 'parameter'>,
): Checkpoint => {
  const names = Object.entries(stacked)
  if (names.length === 0) return checkpoint
  const tensors = new Map(checkpoint.tensors)
  for (const layer of blocks.keys())
    for (const [own, whole] of names) {
      const name = parameter(layer, whole)
      const stack = checkpoint.tensors.get(name)
      if (!stack || stack.shape.length < 2) continue
      tensors.delete(name)
      for (let index = 0; index < stack.shape[0]!; index++) {
        const slice = sliceOf(stack, index, parameter(layer, expertName(own, index)))
        tensors.set(slice.name, slice)
      }
    }
  return { ...checkpoint, tensors }
}
