import type {
  CoreLibrary,
  EvaluateLibrary,
  Libraries,
  RuntimeLibrary,
  TensorLibrary,
  TextLibrary,
} from './libraries.ts'

/** The real libraries. */
export const nodeLibraries: Libraries = {
  tensor: async () => (await import('@awq/tensor/node')) as unknown as TensorLibrary,
  text: async () => (await import('@awq/text/node')) as unknown as TextLibrary,
  runtime: async () => (await import('@awq/runtime/node')) as unknown as RuntimeLibrary,
  evaluate: async () => (await import('@awq/evaluate')) as unknown as EvaluateLibrary,
  core: async () => (await import('@awq/core')) as unknown as CoreLibrary,
}
