import type { OnnxType } from '@awq/onnx'
import { AwqError } from '@awq/tensor'
import type { RuntimeApi, RuntimeTensor } from './runtime-api.ts'
import { toRuntime } from './runtime-tensor.ts'
import { checkTensor, zeros } from './tensor.ts'
import type { DeviceTensor, Tensor, TypedArray } from './types.ts'

/** The engine's own tensor behind a handle; weak, so that a forgotten handle frees its memory. */
const held = new WeakMap<DeviceTensor, RuntimeTensor>()

/** The runtime's tensor behind a handle. Throws `INVALID_ARGUMENT` after its disposal or for a foreign handle. */
export function runtimeTensorOf(handle: DeviceTensor): RuntimeTensor {
  const value = held.get(handle)
  if (!value) throw new AwqError('INVALID_ARGUMENT', 'this device tensor has been disposed, or is another engine’s')
  return value
}

/** The CPU tensor behind a handle, to copy results into. Throws as `runtimeTensorOf`. */
export function heldTensorOf(handle: DeviceTensor): Tensor {
  const { data } = runtimeTensorOf(handle)
  return { dtype: handle.dtype, shape: handle.shape, data: data as TypedArray }
}

/** A handle of zeros. Throws `INVALID_ARGUMENT` for an unknown dtype or a bad shape. */
export const allocateTensor = (api: RuntimeApi, dtype: OnnxType, shape: readonly number[]): DeviceTensor =>
  holdTensor(api, zeros(dtype, shape))

/** Wraps a CPU tensor as a handle: checked and converted once instead of at every run. */
export function holdTensor(api: RuntimeApi, value: Tensor): DeviceTensor {
  checkTensor(value, 'upload')
  const handle: DeviceTensor = {
    dtype: value.dtype,
    shape: [...value.shape],
    location: 'cpu',
    async read() {
      runtimeTensorOf(handle)
      return { dtype: value.dtype, shape: [...value.shape], data: value.data.slice() }
    },
    dispose() {
      held.delete(handle)
    },
  }
  held.set(handle, toRuntime(api, value))
  return handle
}
