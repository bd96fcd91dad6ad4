/**
 * Loading a model: the device is tried, room looked for, weights fetched, the decoder made.
 * @module
 */
import { createEngine, type Engine, engineOptionsOf } from '@awq/ort'
import { AwqError, type Folder } from '@awq/tensor'
import { loadTokenizer } from '@awq/text'
import { createBatch } from './batch/batch.ts'
import { batchSettings, tokenBytes } from './batch/batch-options.ts'
import { openExecutor } from './batch/open-executor.ts'
import { createConversationPool } from './conversation-pool.ts'
import { chooseDecoder } from './decoder-choice.ts'
import { contextInLimits, DeviceLacks } from './device-limits.ts'
import { createInputEncoder } from './input-encoder.ts'
import { type LanguageModel, languageModel } from './language-model.ts'
import { type ImageDecoder, lazyConversations } from './lazy-conversations.ts'
import { createLazyDecoder } from './lazy-decoder.ts'
import { type LoadOptions, readContextLength } from './load-options.ts'
import { type DecoderRequest, type OpenedModel, openModel } from './open-model.ts'
import { choosePrefillChunk } from './prefill-chunk.ts'
import { WrongResults } from './self-check.ts'
import { createImageEncoder } from './vision/image-encoder.ts'
import { createImagePrompts } from './vision/image-prompts.ts'
import { createSeenImages } from './vision/seen-images.ts'
import type { FileProgress } from './weight-links.ts'

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
    const { attention, dtype } = await chooseDecoder(model, options)
    const room = contextInLimits(model.description, dtype, engine.limits)
    const wished = readContextLength(options.contextLength, model.description, room)
    const settings = options.batch && batchSettings(options.batch, wished, tokenBytes(model.description, dtype))
    const { contextLength } = settings ?? { contextLength: wished }
    // A file that is there is told of once.
    const fetched = new Set<string>()
    const told: FileProgress = (event) => {
      if (fetched.has(event.file)) return
      if (event.loaded === event.total) fetched.add(event.file)
      onProgress?.({ stage: 'download', ...event })
    }
    const onLoad = () => onProgress?.({ stage: 'load' })
    const { vocabSize, hiddenSize } = model.description.config
    const images = model.sees ? createSeenImages(vocabSize, hiddenSize) : undefined
    const decoder = createLazyDecoder(model, { attention, dtype, images: model.sees, onProgress: told, onLoad })
    undo.push(() => decoder.dispose())
    const forImages = decoderForImages(model, { attention, dtype, onProgress: told })
    if (forImages) undo.push(() => forImages.decoder.dispose())
    const encoder = createImageEncoder(model, { dtype })
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
      await decoder.session(signal)
    }
    onProgress?.({ stage: 'ready', memory: await engine.memory?.() })
    const { description } = model
    const { readImage, fetchImage, imageSettings } = options
    const prompts = createImagePrompts({
      ...{ description, folder, tokenizer, encoder, seen: images },
      ...{ readImage, fetchImage, settings: imageSettings },
    })
    const inputs = createInputEncoder({ model, tokenizer, images: prompts })
    const shown = { tokenizer, contextLength, attention, activations: dtype, dispose }
    return languageModel({ model, inputs, tokensAtOnce, open, pool, batch, images, ...shown })
  } catch (error) {
    await dispose()
    throw error
  }
}

const ownEngine = async (options: LoadOptions, undo: (() => Promise<void> | void)[]): Promise<Engine> => {
  const engine = await createEngine(engineOptionsOf(options)).catch((error) => {
    throw AwqError.is(error) && error.code === 'UNSUPPORTED' ? new DeviceLacks(error.message, error) : error
  })
  undo.push(() => engine.dispose())
  return engine
}

/** The decoder of conversations with images, where the fused form of attention can not say theirs. */
const decoderForImages = (model: OpenedModel, request: Omit<DecoderRequest, 'signal'>): ImageDecoder | undefined => {
  const { vision } = model.description
  if (!model.sees || !vision || vision.attention === 'causal' || request.attention === 'plain') return undefined
  const attention = 'plain'
  return { attention, decoder: createLazyDecoder(model, { ...request, attention, images: true }) }
}
