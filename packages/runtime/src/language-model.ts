/**
 * A model with its tokenizer, ready to write.
 * @module
 */
import { type ActivationType, type AttentionForm, checkIds, type ModelDescription } from '@awq/models'
import { createEngine, type Engine, type EngineChoice, engineOptionsOf, type Session } from '@awq/ort'
import { AwqError, type Folder } from '@awq/tensor'
import { type ChatMessage, loadTokenizer, type Tokenizer } from '@awq/text'
import { attentionFacts, chooseDtype, resolveAttention } from './attention.ts'
import type { Accuracy } from './bindings.ts'
import { createConversation, prefillChunk } from './decoder.ts'
import { type Conversation, type GenerateOptions, type Generation, generate } from './generation.ts'
import { type OpenedModel, openModel } from './open-model.ts'
import { growingRopeFeeds } from './rope-feeds.ts'

/** How a model is loaded. */
export interface LoadOptions extends EngineChoice {
  /** `fast` (the default) or `exact` products of quantized matrices; float models are always exact. */
  readonly accuracy?: Accuracy | undefined
  /** Tokens that fit, prompt and output together; the model's own context by default, and at most that. */
  readonly contextLength?: number | undefined
  /** The form of attention, for comparisons; chosen by `chooseAttention` by default. */
  readonly attention?: AttentionForm | undefined
  /** Load the decoder at once (the default) or when something first needs it. */
  readonly preload?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((event: LoadEvent) => void) | undefined
}

/** What loading is at. `download` counts bytes of one file. */
export type LoadEvent =
  | { readonly stage: 'download'; readonly file: string; readonly loaded: number; readonly total: number }
  | { readonly stage: 'open' | 'load' | 'ready' }

/** What to continue: a text as it stands, a conversation through the model's chat template, or token ids. */
export type GenerateInput =
  | { readonly prompt: string }
  | { readonly messages: readonly ChatMessage[] }
  | { readonly ids: readonly number[] }

/** A loaded model. */
export interface LanguageModel extends AsyncDisposable {
  readonly tokenizer: Tokenizer
  readonly description: ModelDescription
  /** The model behind it, as `openModel` gives it: for evaluation, and for what else reads its weights. */
  readonly opened: OpenedModel
  /** 'float' or 'quantized'. */
  readonly kind: OpenedModel['kind']
  readonly attention: AttentionForm
  readonly accuracy: Accuracy
  readonly contextLength: number
  /** The token ids of an input, as `generate` would feed them. */
  encode(input: GenerateInput): number[]
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
  /** Logits after every id, one array of `[vocab]` each. */
  logits(
    ids: readonly number[],
    options: { readonly all: true; readonly signal?: AbortSignal | undefined },
  ): Promise<Float32Array[]>
  /** Frees the sessions, and the engine unless it was the caller's. */
  dispose(): Promise<void>
}

/**
 * Loads a float checkpoint or a quantized store for generation.
 * @throws AwqError as `openModel` and `loadTokenizer`; INVALID_ARGUMENT for a context longer than the model's
 */
export const loadModel = async (folder: Folder, options: LoadOptions = {}): Promise<LanguageModel> => {
  const { signal, onProgress, accuracy = 'fast' } = options
  signal?.throwIfAborted()
  const undo: (() => Promise<void> | void)[] = []
  const dispose = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    const engine = typeof options.engine === 'object' ? options.engine : await ownEngine(options, undo)
    onProgress?.({ stage: 'open' })
    const model = await openModel(folder, engine, { accuracy, signal })
    undo.push(() => model.dispose())
    const tokenizer = await loadTokenizer(folder)
    const contextLength = readContextLength(options.contextLength, model.description)
    const dtype = chooseDtype(engine.device)
    const facts = attentionFacts(engine, model.description.config.headDim, dtype)
    const attention = resolveAttention(options.attention, facts)
    const decoder = lazyDecoder(model, attention, dtype, undo)
    if (options.preload ?? true) {
      onProgress?.({ stage: 'load' })
      await decoder(signal)
    }
    onProgress?.({ stage: 'ready' })
    return assemble({ model, tokenizer, contextLength, attention, dtype, decoder, engine, dispose })
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

const readContextLength = (wish: number | undefined, { config }: ModelDescription): number => {
  if (wish === undefined) return config.contextLength
  if (!Number.isSafeInteger(wish) || wish < 1 || wish > config.contextLength) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `contextLength must be an integer from 1 to the model's ${config.contextLength}, not ${wish}.`,
    )
  }
  return wish
}

/** The decoder's session, loaded when first asked for, shared, and disposed with the model. */
type LazyDecoder = (signal?: AbortSignal) => Promise<Session>

const lazyDecoder = (
  model: OpenedModel,
  attention: AttentionForm,
  dtype: ActivationType,
  undo: (() => Promise<void> | void)[],
): LazyDecoder => {
  let opened: Promise<Session> | undefined
  let disposed = false
  undo.push(async () => {
    disposed = true
    await (await opened?.catch(() => undefined))?.dispose()
  })
  return async (signal) => {
    if (disposed) throw new AwqError('INVALID_ARGUMENT', 'The model has been disposed; load it again.')
    opened ??= model.openDecoder({ attention, dtype, signal })
    // A load that failed or was aborted may be tried again.
    opened.catch(() => {
      opened = undefined
    })
    return opened
  }
}

interface Parts {
  readonly model: OpenedModel
  readonly tokenizer: Tokenizer
  readonly contextLength: number
  readonly attention: AttentionForm
  readonly dtype: ActivationType
  readonly decoder: LazyDecoder
  readonly engine: Engine
  readonly dispose: () => Promise<void>
}

const assemble = (parts: Parts): LanguageModel => {
  const { model, tokenizer, contextLength, attention, dtype, decoder, engine, dispose } = parts
  const { description } = model
  const { vocabSize } = description.config
  const rope = growingRopeFeeds(description, { dtype, engine })
  const eosIds = new Set(tokenizer.eosIds)
  const encode = (input: GenerateInput): number[] => {
    if ('ids' in input) return [...input.ids]
    if ('messages' in input) {
      return tokenizer.encode(tokenizer.applyChatTemplate(input.messages, { addGenerationPrompt: true }))
    }
    const ids = tokenizer.encode(input.prompt, { addSpecialTokens: true })
    return ids.length === 0 && tokenizer.bosId !== undefined ? [tokenizer.bosId] : ids
  }

  const checkPrompt = (ids: readonly number[]): void => {
    checkIds(ids, vocabSize)
    if (ids.length === 0 || ids.length > contextLength) {
      throw new AwqError('INVALID_ARGUMENT', `Logits need 1 to ${contextLength} token ids; got ${ids.length}.`)
    }
  }

  const allLogits = async (ids: readonly number[], signal: AbortSignal | undefined): Promise<Float32Array[]> => {
    const conversation = open()
    const rows: Float32Array[] = []
    try {
      for (let at = 0; at < ids.length; at += prefillChunk) {
        const chunk = await conversation.extend(ids.slice(at, at + prefillChunk), { signal, logits: 'all' })
        for (let row = 0; row < chunk.length; row += vocabSize) rows.push(chunk.slice(row, row + vocabSize))
      }
    } finally {
      conversation.dispose()
    }
    return rows
  }

  /** A new conversation; its session is loaded by the first step where it is not yet. */
  const open = (): Conversation => {
    let inner: Conversation | undefined
    let closed = false
    return {
      get length() {
        return inner?.length ?? 0
      },
      async extend(ids, options) {
        if (!inner) {
          const session = await decoder()
          if (closed) throw new AwqError('INVALID_ARGUMENT', 'This conversation was disposed; start another.')
          inner = createConversation(session, description, { engine, attention, dtype, contextLength, rope })
        }
        return inner.extend(ids, options)
      },
      truncate: (length) => inner?.truncate(length),
      dispose() {
        closed = true
        inner?.dispose()
      },
    }
  }

  const logits = async (
    ids: readonly number[],
    options: { readonly all?: boolean; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Float32Array | Float32Array[]> => {
    options.signal?.throwIfAborted()
    checkPrompt(ids)
    const { signal } = options
    if (options.all) return allLogits(ids, signal)
    const conversation = open()
    try {
      return await conversation.extend(ids, { signal })
    } finally {
      conversation.dispose()
    }
  }

  return {
    tokenizer,
    description,
    opened: model,
    kind: model.kind,
    accuracy: model.kind === 'float' ? 'exact' : model.accuracy,
    attention,
    contextLength,
    encode,
    generate(input, options) {
      // A conversation's answer is a text of its own; what follows a prompt continues it, first space included.
      const continuation = !('messages' in input)
      return generate(
        {
          contextLength,
          vocabSize,
          eosIds,
          createDecoder: () => tokenizer.createDecoder({ continuation }),
          open,
        },
        encode(input),
        options,
      )
    },
    logits: logits as LanguageModel['logits'],
    dispose,
    [Symbol.asyncDispose]: dispose,
  }
}
