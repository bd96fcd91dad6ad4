import { existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { AwqError } from '@awq/tensor'

/** `libonnxruntime.so.1`, `libonnxruntime.1.30.0.dylib`, `onnxruntime.dll`; not the provider libraries beside them. */
const libraryName = /^(?:libonnxruntime\.so(?:\.[\d.]+)?|libonnxruntime(?:\.[\d.]+)?\.dylib|onnxruntime\.dll)$/

/** The library in a folder, or the file itself. */
function inFolder(path: string): string | undefined {
  if (!existsSync(path)) return undefined
  if (!statSync(path).isDirectory()) return path
  const name = readdirSync(path)
    .filter((file) => libraryName.test(file))
    .sort()[0]
  return name === undefined ? undefined : join(path, name)
}

/** Resolves a package's main file from here, whether these sources run or their build that was installed. */
export type Resolve = (name: string) => string

/**
 * The library that onnxruntime-node ships for this platform.
 * @throws AwqError `UNSUPPORTED` when the package is not installed or has no binary for the platform
 */
export function shippedLibrary(resolve: Resolve = createRequire(import.meta.url).resolve): string {
  const platform = `${process.platform}-${process.arch}`
  let root: string
  try {
    root = dirname(resolve('onnxruntime-node/package.json'))
  } catch (error) {
    throw new AwqError('UNSUPPORTED', 'onnxruntime-node, whose library it needs, is not installed', { cause: error })
  }
  const found = inFolder(join(root, 'bin', 'napi-v6', process.platform, process.arch))
  if (found === undefined) throw new AwqError('UNSUPPORTED', `onnxruntime-node has no library for ${platform}`)
  return found
}

/** What names another library than the shipped one, and what it names; undefined when nothing does. */
export function chosenLibrary(option: string | undefined): { source: string; path: string } | undefined {
  if (option !== undefined) return { source: 'the option library', path: option }
  const { AWQ_ORT_LIBRARY: variable } = process.env
  return variable ? { source: 'the environment variable AWQ_ORT_LIBRARY', path: variable } : undefined
}

/**
 * The path of a library that the user chose: a file, or the folder that has it.
 * @throws AwqError `UNSUPPORTED` when there is none
 */
export function chosenLibraryPath(chosen: { source: string; path: string }): string {
  const found = inFolder(chosen.path)
  if (found !== undefined) return found
  throw new AwqError(
    'UNSUPPORTED',
    `${chosen.source} names ${chosen.path}, where there is no ONNX Runtime library (libonnxruntime.so, .dylib or onnxruntime.dll)`,
  )
}
