/**
 * Checkpoint formats of quantized models, in and out, by moving integers.
 * @packageDocumentation
 */
export { type DescribedParameter, describedParameters } from './check-model.ts'
export { COMPANIONS, folderCompanions, writeCompanions } from './companions.ts'
export {
  type ConvertOptions,
  checkHolds,
  convert,
  openPortable,
  recogniseFormat,
  writableFormat,
  writeModel,
} from './convert.ts'
export type { FileWriter, FolderWriter } from './folder-writer.ts'
export type * from './format.ts'
export { formats } from './formats.ts'
export { type MemoryWriter, memoryWriter } from './memory-writer.ts'
export type * from './model.ts'
