import type { OnnxType } from '@awq/onnx'
import { type HeldEntry, heldEntries } from '../held-entries.ts'
import { checkKind, checkTensor, zeros } from '../tensor.ts'
import type { Tensor } from '../types.ts'
import { allocate, copyIn, copyOut } from './calls.ts'
import type { WebRuntime } from './runtime.ts'
import { bytesOf, makeValue, type TensorStore } from './tensor-store.ts'

interface Entry extends HeldEntry {
  readonly pointer: number
  readonly value: number
}

/** Device tensors of WebAssembly: they lie in its heap, where kernels read and write them without a copy. */
export function heapStore({ module, turns, enter }: WebRuntime): TensorStore {
  const free = ({ pointer, value }: Entry): void => {
    module._OrtReleaseTensor(value)
    module._free(pointer)
  }
  const entries = heldEntries<Entry>(
    (entry) => enter(() => free(entry)),
    (entry, { dtype, shape }) =>
      turns.take(() => {
        const result = zeros(dtype, shape)
        copyOut(module, entry.pointer, result.data)
        return result
      }),
  )
  const hold = (kind: Pick<Tensor, 'dtype' | 'shape'>, name: string) =>
    enter(() => {
      const pointer = allocate(module, bytesOf(kind), `hold a tensor [${kind.shape}]`)
      const value = makeValue(module, kind, pointer, 'cpu', name)
      return { pointer, handle: entries.hold(kind, { pointer, value, loans: 0, ended: false }) }
    })
  return {
    upload(value) {
      checkTensor(value, 'upload')
      const { pointer, handle } = hold(value, 'upload')
      copyIn(module, value.data, pointer)
      return handle
    },
    allocate(dtype: OnnxType, shape) {
      checkKind(dtype, shape, 'allocate')
      return hold({ dtype, shape }, 'allocate').handle
    },
    lend(handle, name) {
      const { entry, check, release } = entries.borrow(handle, name)
      return {
        value() {
          check()
          return entry.value
        },
        release,
      }
    },
    dispose() {
      for (const entry of entries.drain()) free(entry)
    },
  }
}
