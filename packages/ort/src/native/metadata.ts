import { elementTypeName } from '../element-type.ts'
import type { ValueInfo } from '../feeds.ts'
import { nativeWords } from './memory.ts'
import type { NativeFunction, NativeMemory, Status } from './native-types.ts'
import type { Runtime } from './runtime.ts'

const tensorType = 1

/** A C string at an address; empty at none. */
const readString = (runtime: Runtime, address: bigint): string => {
  if (address === 0n) return ''
  const holder = nativeWords(1)
  holder[0] = address
  return (runtime.koffi.decode(runtime.koffi.address(holder), 'const char *') as string | null) ?? ''
}

/** What OrtTypeInfo says of a value. It frees nothing: the tensor's part belongs to the whole. */
function describe(runtime: Runtime, name: string, typeInfo: bigint): ValueInfo {
  const { api } = runtime
  const kind = new Int32Array(nativeWords(1).buffer)
  runtime.make('tell a type', () => api.GetOnnxTypeFromTypeInfo(typeInfo, kind))
  if (kind[0] !== tensorType) return { name, dtype: 'not a tensor', shape: [] }
  const info = runtime.make('tell a type', (out) => api.CastTypeInfoToTensorInfo(typeInfo, out))
  runtime.make('tell a type', () => api.GetTensorElementType(info, kind))
  const rank = Number(runtime.make('tell a rank', (out) => api.GetDimensionsCount(info, out)))
  const dims = new BigInt64Array(nativeWords(Math.max(1, rank)).buffer)
  const symbols = nativeWords(Math.max(1, rank))
  runtime.make('tell a shape', () => api.GetDimensions(info, dims, rank))
  runtime.make('tell a shape', () => api.GetSymbolicDimensions(info, symbols, rank))
  const shape = Array.from({ length: rank }, (_, axis) =>
    dims[axis]! >= 0n ? Number(dims[axis]) : readString(runtime, symbols[axis]!),
  )
  return { name, dtype: elementTypeName(kind[0]!), shape }
}

type GetName = NativeFunction<
  [session: NativeMemory, index: number, allocator: NativeMemory, value: NativeMemory],
  Status
>
type GetTypeInfo = NativeFunction<[session: NativeMemory, index: number, info: NativeMemory], Status>

function describeAll(runtime: Runtime, session: bigint, count: bigint, getName: GetName, getInfo: GetTypeInfo) {
  const { api, allocator } = runtime
  return Array.from({ length: Number(count) }, (_, index): ValueInfo => {
    const pointer = runtime.make('tell a name', (out) => getName(session, index, allocator, out))
    const name = readString(runtime, pointer)
    runtime.make('free a name', () => api.AllocatorFree(allocator, pointer))
    const info = runtime.make('tell a type', (out) => getInfo(session, index, out))
    try {
      return describe(runtime, name, info)
    } finally {
      api.ReleaseTypeInfo(info)
    }
  })
}

/** What the graph says about its inputs. */
export function describeInputs(runtime: Runtime, session: bigint): ValueInfo[] {
  const { api } = runtime
  const count = runtime.make('count inputs', (out) => api.SessionGetInputCount(session, out))
  return describeAll(runtime, session, count, api.SessionGetInputName, api.SessionGetInputTypeInfo)
}

/** What the graph says about its outputs. */
export function describeOutputs(runtime: Runtime, session: bigint): ValueInfo[] {
  const { api } = runtime
  const count = runtime.make('count outputs', (out) => api.SessionGetOutputCount(session, out))
  return describeAll(runtime, session, count, api.SessionGetOutputName, api.SessionGetOutputTypeInfo)
}
