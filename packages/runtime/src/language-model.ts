/**
 * A model with its tokenizer, ready to write.
 * @module
 */
import { type ActivationType, type AttentionForm, checkIds, type ModelDescription } from '@awq/models'
import { AwqError } from '@awq/tensor'
import type { Tokenizer } from '@awq/text'
import type { Batch, BatchLoad } from './batch/batch.ts'
import type { Accuracy } from './bindings.ts'
import { conversationLogits } from './conversation-logits.ts'
import type { ConversationPool } from './conversation-pool.ts'
import type { PrepareOptions } from './encode-in-pieces.ts'
import { type Generation, generate } from './generation.ts'
import type { GenerateOptions } from './generation-options.ts'
import type { GenerateInput, InputEncoder } from './input-encoder.ts'
import type { OpenedModel } from './open-model.ts'
import { regimeOf } from './rope-regime.ts'
import type { Conversation } from './token-model.ts'
import type { SeenImages } from './vision/seen-images.ts'

/** A loaded model. */
export interface LanguageModel extends AsyncDisposable {
  readonly tokenizer: Tokenizer
  readonly description: ModelDescription
  /** The model behind it, as `openModel` gives it: for evaluation, and for what else reads its weights. */
  readonly opened: OpenedModel
  /** 'float' or 'quantized'. */
  readonly kind: OpenedModel['kind']
  readonly attention: AttentionForm
  /** Type of activations and cache. */
  readonly activations: ActivationType
  readonly accuracy: Accuracy
  readonly contextLength: number
  /** How busy it is at the moment, for models that were loaded with `batch`. */
  readonly load: BatchLoad | undefined
  /** True for a model that reads images. */
  readonly sees: boolean
  /** The token ids of an input without images, as `generate` would feed them. */
  encode(input: GenerateInput): number[]
  /**
   * The token ids of an input, which may have images: each row of one is an id past the vocabulary, which stands for it in this
   * loaded model alone, and only while it is kept: see `onHold`.
   * @throws PromptTooLong for more tokens than `most`, before all images are read; AwqError BUSY where the images of running
   * generations leave no room; for an image that can not be read, or
   * that the model does not take; UNSUPPORTED for one that does not see
   */
  prepare(input: GenerateInput, options?: PrepareOptions): Promise<number[]>
  /**
   * Writes on. A prompt gets the special tokens that tokenizer.json adds (such as begin of sequence); a conversation
   * those of its template, opened for the assistant's answer. Several generations may run side by side.
   * @throws AwqError INVALID_ARGUMENT at once, see `generate`
   */
  generate(input: GenerateInput, options?: GenerateOptions): Generation
  /** Logits `[vocab]` of the position after the last id. */
  logits(
    ids: readonly number[],
    options?: { readonly all?: false; readonly signal?: AbortSignal | undefined },
  ): Promise<Float32Array>
  /** Logits after every id, one array of `[vocab]` each, views of one. */
  logits(
    ids: readonly number[],
    options: { readonly all: true; readonly signal?: AbortSignal | undefined },
  ): Promise<Float32Array[]>
  /** Frees the sessions, and the engine unless it was the caller's. */
  dispose(): Promise<void>
}

/** What a loaded model is made of. */
export interface LanguageModelParts
  extends Pick<LanguageModel, 'tokenizer' | 'contextLength' | 'attention' | 'activations' | 'dispose'> {
  readonly model: OpenedModel
  readonly inputs: InputEncoder
  /** As `OpenedModel` has it, for the type of these activations. */
  readonly tokensAtOnce: number
  /** Opens an empty conversation. */
  readonly open: () => Conversation
  readonly pool: ConversationPool
  readonly batch: Batch | undefined
  /** Absent for models that read text alone. */
  readonly images: SeenImages | undefined
}

/** The model that is made of these parts. */
export const languageModel = (parts: LanguageModelParts): LanguageModel => {
  const { model, inputs, open, pool, batch, images, tokensAtOnce, ...shown } = parts
  const { tokenizer, contextLength, dispose } = shown
  const { description } = model
  const { vocabSize } = description.config
  const eosIds = new Set(tokenizer.eosIds)

  const checkPrompt = (ids: readonly number[]): void => {
    checkIds(images ? ids.filter((id) => !images.has(id)) : ids, vocabSize)
    if (ids.length === 0 || ids.length > contextLength) {
      throw new AwqError('INVALID_ARGUMENT', `Logits need 1 to ${contextLength} token ids; got ${ids.length}.`)
    }
  }

  const logits = async (
    ids: readonly number[],
    options: { readonly all?: boolean; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Float32Array | Float32Array[]> => {
    options.signal?.throwIfAborted()
    checkPrompt(ids)
    const rows = await conversationLogits(open(), ids, vocabSize, options)
    return options.all ? rows : (rows[0] as Float32Array)
  }

  return {
    ...shown,
    description,
    opened: model,
    kind: model.kind,
    accuracy: model.kind === 'float' ? 'exact' : model.accuracy,
    get load() {
      return batch?.load
    },
    sees: model.sees,
    encode: inputs.encode,
    prepare: inputs.prepare,
    generate(input, options) {
      // A conversation's answer is a text of its own; what follows a prompt continues it, first space included.
      const continuation = 'ids' in input ? (input.continuation ?? true) : !('messages' in input)
      return generate(
        {
          contextLength,
          largestContext: description.config.contextLength,
          vocabSize,
          eosIds,
          knows: images?.has,
          hold: images && ((ids) => images.hold(ids).release),
          tokensAtOnce,
          regime: (length) => regimeOf(description, length),
          createDecoder: (visibleTokens) => tokenizer.createDecoder({ continuation, visibleTokens }),
          check: batch?.check,
          open: (prompt, options) => batch?.open(options) ?? pool.open(prompt),
        },
        inputs.hasImages(input)
          ? (options) => inputs.prepare(input, { ...options, most: contextLength })
          : inputs.encode(input),
        options,
      )
    },
    logits: logits as LanguageModel['logits'],
    [Symbol.asyncDispose]: dispose,
  }
}
