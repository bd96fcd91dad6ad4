import type { ActivationType, AttentionForm } from '@awq/models'
import type { Engine } from '@awq/ort'
import type { LazyDecoder } from '../lazy-decoder.ts'
import type { OpenedModel } from '../open-model.ts'
import { regimeOf } from '../rope-regime.ts'
import type { Conversation } from '../token-model.ts'
import type { BatchSettings } from './batch-options.ts'
import { createConversationExecutor } from './conversation-executor.ts'
import type { BatchExecutor } from './executor.ts'

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
  const { model, settings, open, chunk } = request
  const { maxBatch: slots, cacheTokens } = settings
  // Rotary tables that depend on the length of the sequence: it must be known.
  const whole = regimeOf(model.description, 0) !== ''
  const pieces = whole ? Number.POSITIVE_INFINITY : chunk
  return createConversationExecutor({ slots, cacheTokens, chunk: pieces, create: open })
}
