import type { OnnxType } from '@awq/onnx'
import { AwqError } from '@awq/tensor'
import { elementTypeName, elementTypeOf } from '../element-type.ts'
import { sizeOf, zeros } from '../tensor.ts'
import type { Tensor, TypedArray } from '../types.ts'
import { copyFrom, nativeWords, pin } from './memory.ts'
import type { Runtime } from './runtime.ts'

/** An OrtValue lent to a run or to a bound run. */
export interface Lease {
  readonly value: bigint
  /** Throws `INVALID_ARGUMENT` when the memory is not there any more. */
  check(): void
  /** Ends the loan; called once, after the last run. */
  release(): void
}

/** Room for the dimensions and the type of one value: calls that use it end before the next one begins. */
const dimsRoom = new BigInt64Array(nativeWords(64).buffer)
const typeRoom = new Int32Array(nativeWords(1).buffer)

const roomFor = (rank: number): BigInt64Array =>
  rank <= dimsRoom.length ? dimsRoom : new BigInt64Array(nativeWords(rank).buffer)

/** Dimensions as the C API takes them, for the next call only. */
export const nativeShape = (shape: readonly number[]): BigInt64Array => {
  const dims = roomFor(shape.length)
  for (let axis = 0; axis < shape.length; axis += 1) dims[axis] = BigInt(shape[axis]!)
  return dims
}

/** An OrtValue over the memory of a checked tensor, which must stay referenced. Throws as `pin`. */
export function lendTensor(runtime: Runtime, tensor: Tensor, name: string): Lease {
  const { api, koffi, cpuMemory } = runtime
  const { address, byteLength, check } = pin(koffi, tensor.data, name)
  const type = elementTypeOf[tensor.dtype]
  const { length } = tensor.shape
  const dims = nativeShape(tensor.shape)
  const value = runtime.make(`take ${name}`, (out) =>
    api.CreateTensorWithDataAsOrtValue(cpuMemory, address, byteLength, dims, length, type, out),
  )
  return { value, check, release: () => api.ReleaseValue(value) }
}

/** Element type and dimensions of an OrtTensorTypeAndShapeInfo, which it frees. */
function readInfo(runtime: Runtime, info: bigint): { dtype: string; shape: number[] } {
  const { api } = runtime
  try {
    runtime.make('tell a type', () => api.GetTensorElementType(info, typeRoom))
    const rank = Number(runtime.make('tell a rank', (out) => api.GetDimensionsCount(info, out)))
    const dims = roomFor(rank)
    runtime.make('tell a shape', () => api.GetDimensions(info, dims, rank))
    return { dtype: elementTypeName(typeRoom[0]!), shape: Array.from(dims.subarray(0, rank), Number) }
  } finally {
    api.ReleaseTensorTypeAndShapeInfo(info)
  }
}

/** Copies an OrtValue in CPU memory to a tensor of our own. Throws `UNSUPPORTED` for an element type we do not have. */
export function readValue(runtime: Runtime, value: bigint, name: string): Tensor {
  const { api, koffi } = runtime
  const { dtype, shape } = readInfo(
    runtime,
    runtime.make('tell a type', (out) => api.GetTensorTypeAndShape(value, out)),
  )
  if (!Object.hasOwn(elementTypeOf, dtype)) {
    throw new AwqError('UNSUPPORTED', `output ${name}: values of ${dtype} can not be read`)
  }
  const Data = zeros(dtype as OnnxType, [0]).data.constructor as unknown as {
    new (buffer: ArrayBuffer): TypedArray
    readonly BYTES_PER_ELEMENT: number
  }
  const address = runtime.make('give its data', (out) => api.GetTensorMutableData(value, out))
  const bytes = copyFrom(koffi, address, sizeOf(shape) * Data.BYTES_PER_ELEMENT)
  return { dtype: dtype as OnnxType, shape, data: new Data(bytes) }
}
