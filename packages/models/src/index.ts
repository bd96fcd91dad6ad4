export { type Activation, readActivation } from './activation.ts'
export type { Architecture, ScaleGroupRule, Step } from './architecture.ts'
export { type AttentionForm, fusedIsPossible, type PastKeyValue, type SequenceInputs } from './attention.ts'
export type { BlockBinding, OuterBinding } from './binding.ts'
export type { ModelConfig } from './config.ts'
export type { ConfigReader } from './config-reader.ts'
export {
  describeModel,
  type LinearSpec,
  type ModelDescription,
  modelParameters,
  type ParameterSpec,
  parameterCount,
  type ScaleGroup,
} from './describe.ts'
export { embedBatches } from './embed-batches.ts'
export { type BlockContext, type EmittedBlock, emitBlock } from './emit-block.ts'
export { type DecoderBinding, type DecoderOptions, emitDecoder, emitHead } from './emit-decoder.ts'
export { type BlockPart, blockPart, emitBlockPart } from './emit-part.ts'
export {
  type EmittedSegment,
  emitSegment,
  outputName,
  type Segment,
  type SitePlace,
  sitePlace,
} from './emit-segment.ts'
export {
  type BlockWeights,
  blockFeeds,
  checkParameters,
  emitLinear,
  findParameter,
  inputBinding,
  readBlockWeights,
} from './float-weights.ts'
export {
  checkIds,
  embedInto,
  embedTokens,
  emitForwardBlock,
  type ForwardBlock,
  type ForwardBlockOptions,
  type ForwardModel,
  floatForward,
  forwardFeeds,
  forwardLogits,
} from './forward.ts'
export type { PendingSum, Residual } from './norm.ts'
export { readModelConfig } from './read-config.ts'
export { registerArchitecture } from './registry.ts'
export { type RopeConfig, type RopeScaling, type RopeTables, readRope, ropeTables } from './rope.ts'
export {
  type ActivationType,
  causalMask,
  declareSequence,
  type Positions,
  rewriteSequence,
  ropeFeeds,
  sequenceFeeds,
} from './sequence.ts'
