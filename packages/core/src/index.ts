export { type BlockObjectiveOptions, blockObjective } from './block-objective.ts'
export {
  type BlockState,
  type FoldedGroup,
  type Pass,
  specOf,
  statsOf,
  weightOf,
} from './block-state.ts'
export type { CalibrationOptions } from './calibration-text.ts'
export { type ClipPassOptions, clipPass } from './clip-pass.ts'
export { type CompareOptions, type CompareRow, compare } from './compare.ts'
export { type CompensatePassOptions, compensatePass } from './compensate-pass.ts'
export { type DescendPassOptions, descendPass } from './descend-pass.ts'
export {
  type InspectedScaleGroup,
  type InspectedTensor,
  type Inspection,
  type InspectOptions,
  inspect,
} from './inspect.ts'
export { type MemoryBound, type MemoryUse, memoryBound } from './memory.ts'
export {
  awq,
  awqGptq,
  gptq,
  type Method,
  type MethodOptions,
  methods,
  type Propagation,
  rtn,
  smoothquant,
  smoothquantAwq,
} from './methods.ts'
export { type BitsPlan, checkPlan } from './plan.ts'
export type { PlanTarget } from './plan-budget.ts'
export type { PlanCandidate, PlannedModel, PlanShare } from './plan-model.ts'
export { type PlanModelOptions, planModel } from './plan-target.ts'
export type { OnProgress, ProgressEvent, Stage } from './progress.ts'
export {
  type ComputeOptions,
  type MeasureOptions,
  type QuantizationOptions,
  type QuantizeOptions,
  type QuantizeResult,
  quantize,
} from './quantize.ts'
export type {
  InputRecord,
  LinearRecord,
  QuantizationRecord,
  ScaleGroupRecord,
  TensorRecord,
} from './record.ts'
export {
  type GptqPassOptions,
  gptqPass,
  type Rounding,
  type RoundingProblem,
  roundPass,
  rtnPass,
} from './round-pass.ts'
export { codedStatsOf, codedWeightOf } from './salient.ts'
export { keepSalient, type SalientBy, type SalientOptions } from './salient-pass.ts'
export { type ScaleObjective, scaleObjectives } from './scale-objective.ts'
export { applyScale, type GroupScale, type ScalePassOptions, scalePass } from './scale-pass.ts'
export { type SmoothPassOptions, smoothPass } from './smooth-pass.ts'
export type { StageSeconds } from './stages.ts'
export type { TableBits } from './tables.ts'
