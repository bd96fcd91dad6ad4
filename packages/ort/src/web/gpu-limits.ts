import { AwqError } from '@awq/tensor'
import { describeTensor } from '../tensor.ts'
import type { DeviceLimits, Tensor } from '../types.ts'
import { bytesOf } from './tensor-store.ts'

/** Throws `ENGINE` for a tensor that no buffer of the GPU can hold. */
export function checkSize(limits: DeviceLimits, kind: Pick<Tensor, 'dtype' | 'shape'>, name: string): void {
  const bytes = bytesOf(kind)
  const most = Math.min(limits.bufferBytes, limits.bindingBytes)
  if (bytes <= most) return
  throw new AwqError(
    'ENGINE',
    `${name}: ${describeTensor(kind)} has ${bytes} bytes, a buffer of this GPU at most ${most}. Use device cpu, or a ` +
      'model or a context of smaller tensors',
  )
}
