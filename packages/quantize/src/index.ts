export { type CompensationOptions, type CompensationProblem, compensateWeights } from './compensate.ts'
export { type DescentOptions, descendCodes } from './descend.ts'
export { type GptqOptions, roundGptq } from './gptq.ts'
export { factorGram, type GptqFactor, type GptqFactorOptions } from './gptq-factor.ts'
export { type QuantizationGrid, quantizationGrid } from './grid.ts'
export { type GroupRanges, groupRanges, type NameOption } from './ranges.ts'
export { roundRtn } from './rtn.ts'
export { checkSpec, effectiveGroupSize, groupsPerRow, type QuantSpec, SMALLEST_SCALE, stepsOf } from './spec.ts'
export { type MatrixPart, matrixEntries, partName, type StoreEntry } from './store/entries.ts'
export {
  calibrationText,
  MANIFEST_FILE,
  type Manifest,
  manifestSchema,
  PROVENANCE_FILE,
  type Provenance,
  type ProvenanceFile,
  provenanceSchema,
  readManifest,
  readProvenance,
} from './store/manifest.ts'
export {
  adjoiningRange,
  openStore,
  readMatrix,
  type Store,
  type StoredColumns,
  type StoredMatrix,
} from './store/open.ts'
export { INDEX_FILE, type PlannedFile, type PlannedTensor, planStore, type StorePlan } from './store/plan.ts'
export { memoryStoreSink, type StoreSink } from './store/sink.ts'
export { type StoreWriter, type WriteStoreOptions, writeStore } from './store/writer.ts'
