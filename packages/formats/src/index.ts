/**
 * Checkpoint formats of quantized models, in and out, by moving integers.
 * @packageDocumentation
 */
export { awqFormat } from './awq-format.ts'
export { type DescribedParameter, describedParameters } from './check-model.ts'
export {
  type ConvertOptions,
  checkHolds,
  convert,
  openPortable,
  recogniseFormat,
  writableFormat,
  writeModel,
} from './convert.ts'
export { floatFolder } from './float-folder.ts'
export { COMPANIONS, folderCompanions, writeCompanions } from './folder/companions.ts'
export { configText } from './folder/config-text.ts'
export { type MemoryWriter, memoryWriter } from './folder/memory-writer.ts'
export type { FileWriter, FolderWriter } from './folder/writer.ts'
export type * from './format.ts'
export { formats } from './formats.ts'
export {
  bitsPerWeight,
  type MatrixKind,
  type ModelForms,
  matrixKinds,
  type ParameterForm,
  parameterBytes,
  specText,
} from './matrix-kinds.ts'
export type * from './model.ts'
export { CARD_FILE, type CardParts, modelCard } from './model-card.ts'
export { checkFiles, damageText, sourceOf, type Verification, type VerifyOptions, verifyFiles } from './provenance.ts'
