import type { ActivationType, AttentionForm } from '@awq/models'
import { type Engine, kernelsOf } from '@awq/ort'
import type { LazyDecoder } from '../lazy-decoder.ts'
import type { OpenedModel } from '../open-model.ts'
import { growingRopeFeeds } from '../rope-feeds.ts'
import { regimeOf } from '../rope-regime.ts'
import type { Conversation } from '../token-model.ts'
import { hasThreeParts } from '../vision/image-ropes.ts'
import type { SeenImages } from '../vision/seen-images.ts'
import type { BatchSettings } from './batch-options.ts'
import { createConversationExecutor } from './conversation-executor.ts'
import type { BatchExecutor } from './executor.ts'
import { createRowExecutor } from './row-executor.ts'

/** What is known of the model that a batch runs. */
export interface ExecutorRequest {
  readonly decoder: LazyDecoder
  readonly model: OpenedModel
  readonly settings: BatchSettings
  /** An empty conversation. */
  readonly open: () => Conversation
  readonly engine: Engine
  readonly attention: AttentionForm
  readonly dtype: ActivationType
  /** Tokens of a prompt that run at once. */
  readonly chunk: number
  /** What ids past the vocabulary stand for, of models that see. */
  readonly images?: SeenImages | undefined
}

/** The executor that is right for a model and its device. */
export const openExecutor = async (request: ExecutorRequest): Promise<BatchExecutor> => {
  const { decoder, model, settings, open, engine, attention, dtype, chunk, images } = request
  const { description } = model
  const { maxBatch: slots, cacheTokens, contextLength } = settings
  // Rotary tables that depend on the length of the sequence: it must be known.
  const regimes = regimeOf(description, 0) !== ''
  // Tokens that see those behind them run together; positions of three parts are those of one conversation.
  const together = images !== undefined && description.vision?.attention !== 'causal'
  const apart = images !== undefined && hasThreeParts(description)
  const whole = regimes || together
  // Rows are arrays, which an engine with memory of its own would copy for every run.
  const { inPlaceOutputs, deviceTensors } = engine.features
  const inPlace = inPlaceOutputs && !deviceTensors && kernelsOf(engine.device).hostMemory
  if (attention === 'fused' && inPlace && !whole && !apart && model.tokensAtOnce(dtype) >= chunk) {
    const session = await decoder.session()
    const rope = growingRopeFeeds(description, attention, { dtype, engine })
    return createRowExecutor({ session, description, dtype, rope, slots, cacheTokens, contextLength, chunk, images })
  }
  const pieces = whole ? Number.POSITIVE_INFINITY : chunk
  const { vocabSize } = description.config
  return createConversationExecutor({ slots, cacheTokens, chunk: pieces, vocabSize, create: open })
}
