/**
 * A model with its tokenizer, ready to write.
 * @module
 */
import { type ActivationType, type AttentionForm, checkIds, type ModelDescription } from '@awq/models'
import { createEngine, type Engine, engineOptionsOf, kernelsOf } from '@awq/ort'
import { AwqError, type Folder } from '@awq/tensor'
import { type ChatMessage, loadTokenizer, type Tokenizer } from '@awq/text'
import { type Batch, type BatchLoad, createBatch } from './batch/batch.ts'
import { batchSettings, tokenBytes } from './batch/batch-options.ts'
import { openExecutor } from './batch/open-executor.ts'
import type { Accuracy } from './bindings.ts'
import { conversationLogits } from './conversation-logits.ts'
import { type ConversationPool, createConversationPool } from './conversation-pool.ts'
import { chooseDecoder } from './decoder-choice.ts'
import { contextInLimits } from './device-limits.ts'
import { type Generation, generate } from './generation.ts'
import type { GenerateOptions } from './generation-options.ts'
import { type ImageDecoder, lazyConversations } from './lazy-conversations.ts'
import { createLazyDecoder } from './lazy-decoder.ts'
import { type LoadOptions, readContextLength } from './load-options.ts'
import { type DecoderRequest, type OpenedModel, openModel } from './open-model.ts'
import { choosePrefillChunk } from './prefill-chunk.ts'
import { regimeOf } from './rope-regime.ts'
import { WrongResults } from './self-check.ts'
import type { Conversation } from './token-model.ts'
import { createImageEncoder } from './vision/image-encoder.ts'
import { createImagePrompts, type ImagePrompts } from './vision/image-prompts.ts'
import type { ImageSource } from './vision/image-source.ts'
import { messageImages, showsImages } from './vision/message-images.ts'
import { createSeenImages, type SeenImages } from './vision/seen-images.ts'
import type { FileProgress } from './weight-links.ts'

/**
 * What to continue: a text as it stands, a conversation through the model's chat template, or token ids. Of ids,
 * `continuation: false` says that what follows is a text of its own, as an answer is: it does not begin with the space that
 * stands between words.
 */
export type GenerateInput =
  | {
      readonly prompt: string
      /** Images, for a model that sees; the prompt has its placeholder for each, or gets them in front. */
      readonly images?: readonly ImageSource[] | undefined
    }
  | {
      /** Parts of contents may be images: `{ type: 'image', image }`, `{ type: 'image_url', image_url: { url } }`. */
      readonly messages: readonly ChatMessage[]
      /** Functions that the model may call, as the template shows them; see `messagesWithTools`. */
      readonly tools?: readonly unknown[] | undefined
      /** Further variables of the template, e.g. `{ enable_thinking: false }`. */
      readonly variables?: Readonly<Record<string, unknown>> | undefined
    }
  | { readonly ids: readonly number[]; readonly continuation?: boolean }

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
   * loaded model alone.
   * @throws AwqError for an image that can not be read, or that the model does not take; UNSUPPORTED for one that does not see
   */
  prepare(input: GenerateInput, options?: { readonly signal?: AbortSignal | undefined }): Promise<number[]>
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

/**
 * Loads a float checkpoint or a quantized store for generation. A device other than the CPU is tried first (`selfCheck`), and
 * asked whether it has room for every tensor; only then weights are fetched.
 * @throws AwqError as `openModel` and `loadTokenizer`; INVALID_ARGUMENT for a context longer than the model's; UNSUPPORTED
 *   naming a tensor that is larger than the device's buffers; NUMERIC for a device that computes wrong (`selfCheck: 'error'`)
 */
export const loadModel = async (folder: Folder, options: LoadOptions = {}): Promise<LanguageModel> => {
  const { onWarning = (message: string) => console.warn(message) } = options
  try {
    return await loadOn(folder, { ...options, onWarning })
  } catch (error) {
    if (!(error instanceof WrongResults) || (options.selfCheck ?? 'fallback') !== 'fallback') throw error
    onWarning(`${error.message} The model is loaded on the CPU instead.`)
    const { engine, device: _, providerOptions: __, ...rest } = options
    return loadOn(folder, { ...rest, onWarning, engine: typeof engine === 'object' ? undefined : engine })
  }
}

/** Loads a model on the device that the options say. */
const loadOn = async (folder: Folder, options: LoadOptions): Promise<LanguageModel> => {
  const { signal, onProgress, accuracy = 'fast' } = options
  signal?.throwIfAborted()
  const undo: (() => Promise<void> | void)[] = []
  const dispose = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    const engine = typeof options.engine === 'object' ? options.engine : await ownEngine(options, undo)
    onProgress?.({ stage: 'open' })
    const model = await openModel(folder, engine, { accuracy, mixtureOperator: options.mixtureOperator, signal })
    undo.push(() => model.dispose())
    const tokenizer = await loadTokenizer(folder)
    if (!kernelsOf(engine.device).hostMemory) onProgress?.({ stage: 'check' })
    const { attention, dtype } = await chooseDecoder(model, options)
    const room = contextInLimits(model.description, dtype, engine.limits)
    const wished = readContextLength(options.contextLength, model.description, room)
    const settings = options.batch && batchSettings(options.batch, wished, tokenBytes(model.description, dtype))
    const { contextLength } = settings ?? { contextLength: wished }
    const told: FileProgress = (event) => onProgress?.({ stage: 'download', ...event })
    const { vocabSize, hiddenSize } = model.description.config
    const images = model.sees ? createSeenImages(vocabSize, hiddenSize) : undefined
    const decoder = createLazyDecoder(model, { attention, dtype, images: model.sees, onProgress: told })
    undo.push(() => decoder.dispose())
    const forImages = decoderForImages(model, { attention, dtype, onProgress: told })
    if (forImages) undo.push(() => forImages.decoder.dispose())
    const encoder = createImageEncoder(model, dtype)
    undo.push(() => encoder.dispose())
    const tokensAtOnce = model.tokensAtOnce(dtype)
    const chunk = Math.min(tokensAtOnce, await choosePrefillChunk(engine, attention))
    const opening = { engine, attention, dtype, contextLength, chunk, images, forImages }
    const open = lazyConversations(decoder, model.description, opening)
    const pool = createConversationPool(open, settings ? 0 : (options.keptConversations ?? 1))
    undo.push(() => pool.dispose())
    const batch =
      settings &&
      createBatch({
        settings,
        vocabSize: model.description.config.vocabSize,
        open: () => openExecutor({ decoder, model, settings, open, engine, attention, dtype, chunk, images }),
      })
    if (batch) undo.push(() => batch.dispose())
    if (options.preload ?? true) {
      await model.download({ signal, onProgress: told })
      onProgress?.({ stage: 'load' })
      await decoder.session(signal)
    }
    onProgress?.({ stage: 'ready', memory: await engine.memory?.() })
    const activations = dtype
    return assemble({
      model,
      tokenizer,
      contextLength,
      tokensAtOnce,
      attention,
      activations,
      open,
      pool,
      batch,
      images,
      prompts: createImagePrompts({ model, folder, tokenizer, encoder, seen: images, read: options.readImage }),
      dispose,
    })
  } catch (error) {
    await dispose()
    throw error
  }
}

const ownEngine = async (options: LoadOptions, undo: (() => Promise<void> | void)[]): Promise<Engine> => {
  const engine = await createEngine(engineOptionsOf(options))
  undo.push(() => engine.dispose())
  return engine
}

interface Parts {
  readonly model: OpenedModel
  readonly tokenizer: Tokenizer
  readonly contextLength: number
  readonly tokensAtOnce: number
  readonly attention: AttentionForm
  readonly activations: ActivationType
  readonly open: () => Conversation
  readonly pool: ConversationPool
  readonly batch: Batch | undefined
  readonly images: SeenImages | undefined
  readonly prompts: ImagePrompts
  readonly dispose: () => Promise<void>
}

/** The decoder of conversations with images, where the fused form of attention can not say theirs. */
const decoderForImages = (model: OpenedModel, request: Omit<DecoderRequest, 'signal'>): ImageDecoder | undefined => {
  const { vision } = model.description
  if (!model.sees || !vision || vision.attention === 'causal' || request.attention === 'plain') return undefined
  const attention = 'plain'
  return { attention, decoder: createLazyDecoder(model, { ...request, attention, images: true }) }
}

const assemble = (parts: Parts): LanguageModel => {
  const {
    model,
    tokenizer,
    contextLength,
    tokensAtOnce,
    attention,
    activations,
    open,
    pool,
    batch,
    images,
    prompts,
    dispose,
  } = parts
  const { description } = model
  const { vocabSize } = description.config
  const eosIds = new Set(tokenizer.eosIds)
  const { bosId } = tokenizer
  /** What stands before a conversation that its template does not begin: as processors do it, which models that see come with. */
  const encodeChat = (text: string): number[] => {
    if (!model.sees) return tokenizer.encode(text)
    const ids = tokenizer.encode(text)
    return ids[0] === bosId ? ids : tokenizer.encode(text, { addSpecialTokens: true })
  }
  const withImages = (input: GenerateInput): boolean =>
    'messages' in input ? showsImages(input.messages) : 'prompt' in input && (input.images?.length ?? 0) > 0
  const lists = model.sees && !/content['"\]]*\s+is\s+(not\s+)?string/.test(tokenizer.chatTemplate ?? '')
  const render = (input: Extract<GenerateInput, { messages: unknown }>) => {
    const { tools, variables } = input
    const { messages, images: shown } = messageImages(input.messages, lists)
    const text = tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true, tools, variables })
    return { text, images: shown }
  }
  const encode = (input: GenerateInput): number[] => {
    if (withImages(input))
      throw new AwqError('INVALID_ARGUMENT', 'Images take time to be read: await prepare(input), or generate from it.')
    if ('ids' in input) return [...input.ids]
    if ('messages' in input) {
      if (model.sees) return encodeChat(render(input).text)
      const { messages, tools, variables } = input
      return tokenizer.encode(tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true, tools, variables }))
    }
    const ids = tokenizer.encode(input.prompt, { addSpecialTokens: true })
    return ids.length === 0 && bosId !== undefined ? [bosId] : ids
  }

  const prepare = async (
    input: GenerateInput,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<number[]> => {
    options.signal?.throwIfAborted()
    if (!withImages(input)) return encode(input)
    // Says why, where it does not.
    if (!model.sees) await model.openVision()
    if ('messages' in input) {
      const { text, images: shown } = render(input)
      const addSpecialTokens = tokenizer.encode(text)[0] !== bosId
      return prompts.encode({ text, images: shown, addSpecialTokens }, options)
    }
    const { prompt, images: given = [] } = input as Extract<GenerateInput, { prompt: string }>
    const text = await prompts.placed(prompt, given.length)
    const shown = given.map((source) => ({ source, named: true }))
    return prompts.encode({ text, images: shown, addSpecialTokens: true }, options)
  }

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
    tokenizer,
    description,
    opened: model,
    kind: model.kind,
    accuracy: model.kind === 'float' ? 'exact' : model.accuracy,
    attention,
    activations,
    contextLength,
    get load() {
      return batch?.load
    },
    sees: model.sees,
    encode,
    prepare,
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
          tokensAtOnce,
          regime: (length) => regimeOf(description, length),
          createDecoder: (visibleTokens) => tokenizer.createDecoder({ continuation, visibleTokens }),
          check: batch?.check,
          open: (prompt, options) => batch?.open(options) ?? pool.open(prompt),
        },
        withImages(input) ? (signal) => prepare(input, { signal }) : encode(input),
        options,
      )
    },
    logits: logits as LanguageModel['logits'],
    dispose,
    [Symbol.asyncDispose]: dispose,
  }
}
