import type { OrtApi } from '../src/native/api-table.ts'
import type { Runtime } from '../src/native/runtime.ts'

/** What the functions that make and free things were called for. */
export interface Count {
  /** Things made and not freed, by kind; a negative number is a thing freed twice. Values that runs made are not counted. */
  readonly alive: Readonly<Record<string, number>>
}

/** Functions that make one thing of a kind by writing its pointer, and return null when they did. */
const makers: Readonly<Partial<Record<keyof OrtApi, string>>> = {
  CreateSessionOptions: 'SessionOptions',
  CreateRunOptions: 'RunOptions',
  CreateSessionFromArray: 'Session',
  SessionGetInputTypeInfo: 'TypeInfo',
  SessionGetOutputTypeInfo: 'TypeInfo',
  GetTensorTypeAndShape: 'TensorTypeAndShapeInfo',
}

const freers: Readonly<Partial<Record<keyof OrtApi, string>>> = {
  ReleaseSessionOptions: 'SessionOptions',
  ReleaseRunOptions: 'RunOptions',
  ReleaseSession: 'Session',
  ReleaseTypeInfo: 'TypeInfo',
  ReleaseTensorTypeAndShapeInfo: 'TensorTypeAndShapeInfo',
}

type Anything = (...parameters: unknown[]) => unknown

/** The runtime with functions that are counted. `values` holds the values over given memory that were not freed. */
export function countedRuntime(runtime: Runtime): { runtime: Runtime; count: Count; values: Set<bigint> } {
  const alive: Record<string, number> = {}
  const values = new Set<bigint>()
  const api: Record<string, unknown> = { ...runtime.api }
  const add = (kind: string, step: number) => {
    alive[kind] = (alive[kind] ?? 0) + step
  }
  for (const [name, kind] of Object.entries(makers)) {
    const inner = runtime.api[name as keyof OrtApi] as unknown as Anything & { async: Anything }
    const counted = (...parameters: unknown[]) => {
      const status = inner(...parameters)
      if (status === null) add(kind, 1)
      return status
    }
    counted.async = (...parameters: unknown[]) => {
      const callback = parameters.pop() as Anything
      return inner.async(...parameters, (error: unknown, status: unknown) => {
        if (!error && status === null) add(kind, 1)
        return callback(error, status)
      })
    }
    api[name] = counted
  }
  for (const [name, kind] of Object.entries(freers)) {
    const inner = runtime.api[name as keyof OrtApi] as unknown as Anything & { async: Anything }
    const counted = (...parameters: unknown[]) => {
      add(kind, -1)
      return inner(...parameters)
    }
    counted.async = (...parameters: unknown[]) => {
      add(kind, -1)
      return inner.async(...parameters)
    }
    api[name] = counted
  }
  const create = runtime.api.CreateTensorWithDataAsOrtValue
  api.CreateTensorWithDataAsOrtValue = (...parameters: Parameters<typeof create>) => {
    const status = create(...parameters)
    const out = parameters[6]
    const value = typeof out === 'bigint' ? (runtime.koffi.decode(out, 'uint64_t') as bigint | number) : 0n
    if (status === null) values.add(BigInt(value))
    return status
  }
  api.ReleaseValue = (value: bigint) => {
    values.delete(value)
    runtime.api.ReleaseValue(value)
  }
  return { runtime: { ...runtime, api: api as unknown as OrtApi }, count: { alive }, values }
}
