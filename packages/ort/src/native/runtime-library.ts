import { realpathSync } from 'node:fs'
import { AwqError, messageOf } from '@awq/tensor'
import { apiTable, headerVersion, type OrtApi } from './api-table.ts'
import type { Koffi, NativeLibrary } from './native-types.ts'
import { isWholeLibrary } from './whole-file.ts'

/** The lowest API version that has all the engine cannot do without. */
const oldestVersion = 20

/** A loaded ONNX Runtime: its functions by name. */
export interface RuntimeLibrary {
  readonly koffi: Koffi
  readonly path: string
  /** `1.30.0` */
  readonly version: string
  readonly api: OrtApi
  /** Whether the library is new enough to have a function. */
  has(name: keyof OrtApi): boolean
  /** The handle: the library is unloaded, and every call crashes, once it is collected. */
  readonly handle: NativeLibrary
}

/** One entry per file: loading a library again gives the same one, and so the same environment. */
const loaded = new Map<string, RuntimeLibrary>()

/** Reads the functions from `OrtApiBase { GetApi, GetVersionString }`. */
function bind(koffi: Koffi, handle: NativeLibrary, path: string): RuntimeLibrary {
  const base = handle.func('OrtGetApiBase', 'void *', [])() as bigint
  const [getApi, getVersion] = koffi.decode(base, koffi.array('void *', 2)) as [bigint, bigint]
  const version = (koffi.decode(getVersion, koffi.proto('const char *', [])) as () => string)()
  const minor = Number(/^1\.(\d+)/.exec(version)?.[1] ?? 0)
  if (minor < oldestVersion) {
    throw new AwqError('UNSUPPORTED', `${path} is ONNX Runtime ${version}: 1.${oldestVersion} or later is needed`)
  }
  const apiVersion = Math.min(minor, headerVersion)
  const table = (koffi.decode(getApi, koffi.proto('void *', ['uint32_t'])) as (version: number) => bigint | null)(
    apiVersion,
  )
  if (table === null) throw new AwqError('UNSUPPORTED', `${path} (${version}) has no API of version ${apiVersion}`)

  const entries = Object.entries(apiTable).filter(([, { since }]) => since <= apiVersion)
  const length = Math.max(...entries.map(([, { index }]) => index)) + 1
  const pointers = koffi.decode(table, koffi.array('void *', length)) as bigint[]
  const api = Object.fromEntries(
    entries.map(([name, { index, returns, parameters }]) => [
      name,
      koffi.decode(pointers[index]!, koffi.proto(returns, parameters)),
    ]),
  )
  return { koffi, path, version, handle, api: api as unknown as OrtApi, has: (name) => Object.hasOwn(api, name) }
}

/**
 * Loads ONNX Runtime's library from a file, once in the process.
 * @throws AwqError `UNSUPPORTED` when the file is missing, no library, or too old
 */
export function loadRuntimeLibrary(koffi: Koffi, path: string): RuntimeLibrary {
  let real: string
  try {
    real = realpathSync(path)
  } catch (error) {
    throw new AwqError('UNSUPPORTED', `there is no library ${path}`, { cause: error })
  }
  const known = loaded.get(real)
  if (known) return known
  let handle: NativeLibrary
  try {
    if (!isWholeLibrary(real)) throw new Error('the file is not whole; download it again')
    handle = koffi.load(real)
  } catch (error) {
    throw new AwqError('UNSUPPORTED', `the library ${path} does not load: ${messageOf(error)}`, { cause: error })
  }
  let library: RuntimeLibrary
  try {
    library = bind(koffi, handle, real)
  } catch (error) {
    if (AwqError.is(error)) throw error
    throw new AwqError('UNSUPPORTED', `${path} is not ONNX Runtime: ${messageOf(error)}`, { cause: error })
  }
  loaded.set(real, library)
  return library
}
