import type { ActivationType, AttentionForm, ModelDescription } from '@awq/models'
import type { EngineChoice, EngineMemory } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import type { BatchOptions } from './batch/batch-options.ts'
import type { Accuracy } from './bindings.ts'
import { DeviceLacks } from './device-limits.ts'
import type { ImageReader } from './vision/image-source.ts'

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
   * Type of activations and cache, for comparisons. By default float16 where the device has it and products are `fast`,
   * else float32.
   */
  readonly activations?: ActivationType | undefined
  /**
   * What happens when a device other than the CPU computes wrong what the model is made of, which is tried on some rows of
   * its weights: `fallback` (the default) warns and loads the model on the CPU, `error` throws NUMERIC, `off` does not try.
   */
  readonly selfCheck?: 'fallback' | 'error' | 'off' | undefined
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
  /**
   * Reads the images that messages name, `{ type: 'image', path }`. By default names are refused; `loadModel` of
   * @awq/runtime/node reads files, that of @awq/runtime/browser fetches them from beside the page.
   */
  readonly readImage?: ImageReader | undefined
  /** Fetches images at addresses. By default they are refused; `loadModel` of @awq/runtime/browser fetches them as its page may. */
  readonly fetchImage?: ImageReader | undefined
  /** Settings of the image processor that replace those of its files, by their names there: `{ max_pixels: 401408 }`. */
  readonly imageSettings?: Readonly<Record<string, unknown>> | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((event: LoadEvent) => void) | undefined
}

/**
 * What loading is at. `download` counts bytes of one file, and comes where a model is fetched; `check` where a device is tried;
 * `ready` has the memory that the engine has needed, where it can tell.
 */
export type LoadEvent =
  | { readonly stage: 'download'; readonly file: string; readonly loaded: number; readonly total: number }
  | { readonly stage: 'open' | 'check' | 'load' }
  | { readonly stage: 'ready'; readonly memory?: EngineMemory | undefined }

/**
 * The context in use: as wished for, or the model's own, as far as a device has room for it.
 * @param most tokens that the device has room for
 * @throws AwqError INVALID_ARGUMENT for one that is longer than the model's, UNSUPPORTED for one without room
 */
export const readContextLength = (
  wish: number | undefined,
  { config }: ModelDescription,
  most = Number.POSITIVE_INFINITY,
): number => {
  if (wish === undefined) return Math.min(config.contextLength, most)
  if (!Number.isSafeInteger(wish) || wish < 1 || wish > config.contextLength) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `contextLength must be an integer from 1 to the model's ${config.contextLength}, not ${wish}.`,
    )
  }
  if (wish > most) {
    throw new DeviceLacks(
      `contextLength ${wish}: a buffer of this device has room for the keys of ${most} tokens. Use fewer, or device 'cpu'.`,
    )
  }
  return wish
}
