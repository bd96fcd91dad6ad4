export { type AttentionFacts, attentionFacts, chooseAttention } from './attention.ts'
export type { BatchLoad } from './batch/batch.ts'
export type { BatchOptions } from './batch/batch-options.ts'
export {
  type BenchmarkOptions,
  type BenchmarkResult,
  benchmark,
  type DecodeRate,
  defaultContexts,
} from './benchmark.ts'
export {
  type Accuracy,
  type BindingSource,
  blockBinding,
  outerBinding,
  visionBinding,
} from './bindings.ts'
export { type CacheOptions, createCache, type KeyValueCache } from './cache.ts'
export {
  type ConstraintOptions,
  jsonObjectConstraint,
  jsonSchemaConstraint,
  type TokenSource,
} from './constrain/index.ts'
export { type ConversationOptions, createConversation } from './conversation.ts'
export { type ConversationPool, createConversationPool } from './conversation-pool.ts'
export type { PrepareOptions } from './encode-in-pieces.ts'
export { turnEventLoop } from './event-loop.ts'
export {
  type FinishReason,
  type Generation,
  type GenerationEvent,
  type GenerationResult,
  generate,
  type PromptSource,
} from './generation.ts'
export type { GenerateOptions } from './generation-options.ts'
export {
  createInputEncoder,
  type GenerateInput,
  type InputEncoder,
  type InputEncoderParts,
  type MessagesInput,
} from './input-encoder.ts'
export type { LanguageModel } from './language-model.ts'
export { loadModel } from './load-model.ts'
export type { LoadEvent, LoadOptions } from './load-options.ts'
export { type Logprob, mostLogprobs, type TokenLogprob } from './logprobs.ts'
export { type ModelLogitsOptions, modelLogits } from './model-logits.ts'
export {
  type DecoderRequest,
  type OpenedModel,
  type OpenOptions,
  openModel,
  openTable,
  type TableSource,
  type VisionRequest,
} from './open-model.ts'
export { prefillChunk } from './prefill-chunk.ts'
export { lookUp, type PromptLookupOptions } from './prompt-lookup.ts'
export { PromptTooLong } from './prompt-too-long.ts'
export { createRandom, type Random } from './random.ts'
export { growingRopeFeeds, type RopeFeeds } from './rope-feeds.ts'
export { createSampler, type Sampler } from './sampler.ts'
export { type Candidates, greedy, selectCandidates } from './sampling.ts'
export { type SamplingOptions, type SamplingSettings, samplingSettings } from './sampling-options.ts'
export { selfCheck, WrongResults } from './self-check.ts'
export { createStopFilter, type StopFilter, type StopResult } from './stop-strings.ts'
export { storeTable } from './store-table.ts'
export type { Constraint, TokenConstraint } from './token-constraint.ts'
export type { Conversation, OpenConversationOptions, TokenModel } from './token-model.ts'
export {
  createToolCallParser,
  type MessagesWithTools,
  messagesWithTools,
  type Tool,
  type ToolCall,
  type ToolCallConstraintOptions,
  type ToolCallFormat,
  type ToolCallParser,
  type ToolCallPart,
  type ToolSchemas,
  toolCallConstraint,
  toolCallFormat,
  toolCallMarkerIds,
  toolCallMarkers,
} from './tool-calls/index.ts'
export {
  createImageEncoder,
  type EncodedImage,
  type ImageEncoder,
  type ImageEncoderOptions,
} from './vision/image-encoder.ts'
export {
  createImagePrompts,
  type ImagePrompt,
  type ImagePromptParts,
  type ImagePrompts,
} from './vision/image-prompts.ts'
export {
  type ImageSequence,
  type ImageSequenceOptions,
  type ImageSequences,
  openImageSequences,
  sequenceStream,
} from './vision/image-sequences.ts'
export type { ImageReader, ImageReaders, ImageSource } from './vision/image-source.ts'
export type { NamedSource } from './vision/message-images.ts'
export { createSeenImages, type SeenImage, type SeenImages } from './vision/seen-images.ts'
export { stepWeightBytes, type WeightBytesOptions, weightBytesPerToken } from './weight-bytes.ts'
export {
  type FetchOptions,
  type FileProgress,
  locateWeights,
  type WeightFiles,
  type WeightLinks,
} from './weight-links.ts'
export {
  checkpointTable,
  type DenseTensor,
  type PackedMatrix,
  type WeightTable,
  weightTable,
} from './weight-table.ts'
