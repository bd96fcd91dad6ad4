import type { ActivationType, AttentionForm } from '@awq/models'
import { type Engine, kernelsOf } from '@awq/ort'
import type { LazyDecoder } from '../lazy-decoder.ts'
import type { OpenedModel } from '../open-model.ts'
import { growingRopeFeeds } from '../rope-feeds.ts'
import { regimeOf } from '../rope-regime.ts'
import type { Conversation } from '../token-model.ts'
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
}

/** The executor that is right for a model and its device. */
export const openExecutor = async (request: ExecutorRequest): Promise<BatchExecutor> => {
  const { decoder, model, settings, open, engine, attention, dtype, chunk } = request
  const { description } = model
  const { maxBatch: slots, cacheTokens, contextLength } = settings
  // Rotary tables that depend on the length of the sequence: it must be known.
  const whole = regimeOf(description, 0) !== ''
  // Rows are arrays, which an engine with memory of its own would copy for every run.
  const { inPlaceOutputs, deviceTensors } = engine.features
  const inPlace = inPlaceOutputs && !deviceTensors && kernelsOf(engine.device).hostMemory
  if (attention === 'fused' && inPlace && !whole && model.tokensAtOnce(dtype) >= chunk) {
    const session = await decoder.session()
    const rope = growingRopeFeeds(description, attention, { dtype, engine })
    return createRowExecutor({ session, description, dtype, rope, slots, cacheTokens, contextLength, chunk })
  }
  const pieces = whole ? Number.POSITIVE_INFINITY : chunk
  return createConversationExecutor({ slots, cacheTokens, chunk: pieces, create: open })
}
