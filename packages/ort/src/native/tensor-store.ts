import type { OnnxType } from '@awq/onnx'
import { handleError } from '../held-entries.ts'
import { checkTensor, zeros } from '../tensor.ts'
import type { DeviceTensor, Tensor } from '../types.ts'
import type { Runtime } from './runtime.ts'
import { type Lease, lendTensor } from './value.ts'

/** How an engine keeps its device tensors and lends them to runs. */
export interface TensorStore {
  /** Where tensors are kept. */
  readonly location: DeviceTensor['location']
  upload(value: Tensor): DeviceTensor
  allocate(dtype: OnnxType, shape: readonly number[]): DeviceTensor
  /**
   * The OrtValue of a handle. Disposing the handle must not free the memory before the loan has ended.
   * The loan's value is there once its `check` has passed.
   * @throws AwqError `INVALID_ARGUMENT` for a handle that was disposed or that another engine made
   */
  lend(handle: DeviceTensor, name: string): Lease
  /** Frees what the store itself holds; called after the engine's last session has ended. */
  dispose(): void
}

/** Device tensors of the CPU: arrays that nothing moves. They hold nothing native, so that a forgotten one leaks nothing. */
export function cpuTensorStore(runtime: Runtime): TensorStore {
  const held = new WeakMap<DeviceTensor, Tensor>()
  const tensorOf = (handle: DeviceTensor, name: string): Tensor => {
    const value = held.get(handle)
    if (!value) throw handleError(name)
    return value
  }
  const hold = (value: Tensor): DeviceTensor => {
    const handle: DeviceTensor = {
      dtype: value.dtype,
      shape: [...value.shape],
      location: 'cpu',
      async read() {
        const { data } = tensorOf(handle, 'read')
        return { dtype: value.dtype, shape: [...value.shape], data: data.slice() }
      },
      dispose() {
        held.delete(handle)
      },
    }
    held.set(handle, value)
    return handle
  }
  return {
    location: 'cpu',
    upload(value) {
      checkTensor(value, 'upload')
      // A run may come long after: a buffer that does not suit is better refused now.
      lendTensor(runtime, value, 'upload').release()
      return hold({ dtype: value.dtype, shape: [...value.shape], data: value.data })
    },
    allocate: (dtype, shape) => hold(zeros(dtype, shape)),
    lend(handle, name) {
      const lease = lendTensor(runtime, tensorOf(handle, name), name)
      return {
        ...lease,
        check() {
          tensorOf(handle, name)
          lease.check()
        },
      }
    },
    dispose() {},
  }
}
