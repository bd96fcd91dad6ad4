import type { AttentionForm, ModelDescription } from '@awq/models'
import type { EngineChoice } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import type { BatchOptions } from './batch/batch-options.ts'
import type { Accuracy } from './bindings.ts'

/** How a model is loaded. */
export interface LoadOptions extends EngineChoice {
  /** `fast` (the default) or `exact` products of quantized matrices; float models are always exact. */
  readonly accuracy?: Accuracy | undefined
  /** Tokens that fit, prompt and output together; the model's own context by default, and at most that. */
  readonly contextLength?: number | undefined
  /** As `OpenOptions` has it. */
  readonly mixtureOperator?: boolean | undefined
  /** The form of attention, for comparisons; chosen by `chooseAttention` by default. */
  readonly attention?: AttentionForm | undefined
  /**
   * How many conversations stay in memory when their generation ends, so that the next turn of a chat runs only its new
   * tokens; 1 by default, 0 keeps none. A server keeps as many as it has users at a time. Each takes what its tokens
   * need, at most a whole context.
   */
  readonly keptConversations?: number | undefined
  /**
   * Runs generations together that are under way at the same time, as a server wants it. Their caches share one memory, of
   * which what finished generations leave is used for others that begin alike; `keptConversations` has no effect then.
   */
  readonly batch?: BatchOptions | undefined
  /** Load the decoder at once (the default) or when something first needs it. */
  readonly preload?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((event: LoadEvent) => void) | undefined
}

/** What loading is at. `download` counts bytes of one file. */
export type LoadEvent =
  | { readonly stage: 'download'; readonly file: string; readonly loaded: number; readonly total: number }
  | { readonly stage: 'open' | 'load' | 'ready' }

/**
 * The context in use: as wished for, or the model's own.
 * @throws AwqError INVALID_ARGUMENT for one that is longer than the model's
 */
export const readContextLength = (wish: number | undefined, { config }: ModelDescription): number => {
  if (wish === undefined) return config.contextLength
  if (!Number.isSafeInteger(wish) || wish < 1 || wish > config.contextLength) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `contextLength must be an integer from 1 to the model's ${config.contextLength}, not ${wish}.`,
    )
  }
  return wish
}
