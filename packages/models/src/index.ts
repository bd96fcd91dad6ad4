export { type Activation, readActivation } from './activation.ts'
export { alignCheckpoint } from './align-checkpoint.ts'
export type { Architecture, BlockTable, ModelTable, OuterTable, ScaleGroupRule } from './architecture.ts'
export {
  type AttentionForm,
  attentionWithoutCache,
  emitAttention,
  fusedIsPossible,
  type PastKeyValue,
  ropeFactor,
  takesPacked,
} from './attention.ts'
export type { BlockBinding, OuterBinding, VectorBinding } from './binding.ts'
export type { ModelConfig } from './config.ts'
export type { ConfigReader } from './config-reader.ts'
export { decodedFolder } from './decoded-folder.ts'
export { type DecoderInputs, type DecoderPort, type PortRequest, servingPort } from './decoder-port.ts'
export {
  describeModel,
  type ModelDescription,
  modelParameters,
  type OuterDescription,
  parameterCount,
  sharesPerToken,
} from './describe.ts'
export type { BlockDescription } from './describe-block.ts'
export { checkIds, embedInto, embedTokens } from './embed.ts'
export { embedBatches } from './embed-batches.ts'
export { alibiSlopes } from './emit-alibi.ts'
export { type DecoderBinding, type DecoderOptions, emitDecoder } from './emit-decoder.ts'
export { type ExpertTokens, expertTokensOn, type RoutedTokens } from './emit-experts.ts'
export { emitEmbed, emitEmbedding, emitHead } from './emit-outer.ts'
export { type BlockPart, blockPart, emitBlockPart } from './emit-part.ts'
export { emitRopeTables, ropePositions } from './emit-rope.ts'
export {
  type EmittedSegment,
  emitSegment,
  outputName,
  type Segment,
  type SitePlace,
  sitePlace,
} from './emit-segment.ts'
export type { StepList } from './emit-steps.ts'
export { expertName } from './expert-steps.ts'
export { type FloatCheckpoint, openFloatCheckpoint } from './float-checkpoint.ts'
export {
  type BlockWeights,
  blockFeeds,
  emitLinear,
  findParameter,
  ignoredTensors,
  inputBinding,
  outerFeeds,
  outerInputs,
  readBlockWeights,
  readParameter,
} from './float-weights.ts'
export {
  byForm,
  emitForwardBlock,
  type ForwardBlock,
  type ForwardBlockOptions,
  type ForwardModel,
  floatForward,
  forwardLogits,
  perBlock,
} from './forward.ts'
export { type LinearSpec, linearsBySite, type SiteSpec } from './linears.ts'
export { emitNorm, type PendingSum, type Residual } from './norm.ts'
export * from './parts.ts'
export * from './parts-experts.ts'
export { readModelConfig } from './read-config.ts'
export { type RopeOptions, readRope } from './read-rope.ts'
export { readSizes, type SizeDefaults, type SizeFields } from './read-sizes.ts'
export { registerArchitecture } from './registry.ts'
export type { ScaleGroup } from './resolve-groups.ts'
export { type RopeConfig, ropeFrequencies } from './rope.ts'
export { type RopeScaling, ropeRegime } from './rope-scaling.ts'
export { type RowOrders, rowOrders } from './row-orders.ts'
export {
  type ActivationType,
  declareSequence,
  needsKeyPositions,
  needsStart,
  type Positions,
  rewriteRows,
  rewriteSequence,
  ropeFeeds,
  type SequenceInputs,
  sequenceFeeds,
  type TokenGroup,
} from './sequence.ts'
export {
  type Arrangement,
  arrangedAs,
  attentionFor,
  forwardFeeds,
  type SequenceBatch,
} from './sequence-batch.ts'
export { type MaskNeed, type Positioned, type SequenceNeeds, sequenceNeeds } from './sequence-needs.ts'
export type * from './steps.ts'
export { stepParameters, storedShape } from './steps.ts'
export type { StoredFormat } from './stored-format.ts'
export { type SwigluExperts, swigluOf } from './swiglu-experts.ts'
export { fillThreePartRows, imagePosition, type ThreePartPosition, textPosition } from './three-part-positions.ts'
export type { VisionDescription } from './vision/describe-vision.ts'
export { emitTowerAttention, type TowerInputs } from './vision/emit-tower-attention.ts'
export { emitVision, type VisionOptions } from './vision/emit-vision.ts'
export type { PatchGrid } from './vision/grid.ts'
export { type ImageFeeds, imageFeeds, type PreparedImage, tileFeatures } from './vision/image-feeds.ts'
export { defaultPatchesAtOnce, type ImageRuns, imageRuns } from './vision/image-runs.ts'
export type { ImageAttention, VisionTable } from './vision/table.ts'
export type { VisionInputs, VisionPort } from './vision/vision-port.ts'
export { attendToAll } from './vision/vit-blocks.ts'
export { widenBfloat16 } from './widen-bfloat16.ts'
