import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { messageOf } from '@awq/tensor'
import type { Runtime } from './runtime.ts'

const fileNames: Readonly<Partial<Record<NodeJS.Platform, (name: string) => string>>> = {
  linux: (name) => `libonnxruntime_providers_${name}.so`,
  win32: (name) => `onnxruntime_providers_${name}.dll`,
}

/**
 * Why the library of an execution provider that lies beside ONNX Runtime's own does not load, in the words of the
 * system's linker, which ONNX Runtime only logs; undefined when it does load.
 */
export function whyNotLoaded({ koffi, path }: Pick<Runtime, 'koffi' | 'path'>, provider: string): string | undefined {
  const fileName = fileNames[process.platform]
  if (!fileName) return `ONNX Runtime has no ${provider} provider for ${process.platform}`
  const files = [fileName('shared'), fileName(provider)].map((file) => join(dirname(path), file))
  for (const file of files) {
    if (!existsSync(file)) return `there is no ${file}`
    try {
      koffi.load(file)
    } catch (error) {
      return messageOf(error)
    }
  }
  return undefined
}
