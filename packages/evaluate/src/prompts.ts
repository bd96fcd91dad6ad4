/**
 * How far a model is from a reference on prompts with images: each runs whole through both, block by block, with the features
 * that either model's own tower makes of the same pixels.
 * @module
 */
import type { ForwardModel, SequenceBatch } from '@awq/models'
import { type ImageSequence, type ImageSequenceOptions, type OpenedModel, openImageSequences } from '@awq/runtime'
import { AwqError } from '@awq/tensor'
import { type ImageDocument, isImageDocument, loadTokenizer, type TextSource, type Tokenizer } from '@awq/text'
import {
  checkVocabulary,
  createCleanup,
  type EvaluatedModel,
  lazyEngine,
  type OpenModelsOptions,
  open,
} from './open-models.ts'
import { openScorer, type Scorer } from './scores.ts'
import { carryStreams } from './streams.ts'

/** What to compare, and on what. */
export interface EvaluatePromptsOptions extends OpenModelsOptions {
  readonly model: EvaluatedModel
  /** The reference, usually the float checkpoint. */
  readonly against: EvaluatedModel
  /** As `readTexts` and `openText` of @awq/text give them; all must have images. */
  readonly documents: TextSource
  /** Reads images by name. */
  readonly readImage?: ImageSequenceOptions['readImage']
  /** Use only the first prompts. */
  readonly maxPrompts?: number | undefined
  /** Tokens of a prompt, longer ones are cut behind their last image; default 2048. */
  readonly length?: number | undefined
  /** `done` of `total` prompts. */
  readonly onProgress?: ((event: { readonly done: number; readonly total: number }) => void) | undefined
}

/** The figures, over the places behind the first image where text is to follow. */
export interface PromptEvaluation {
  /** Mean KL(reference || model) per place, in nats. */
  readonly kl: number
  /** Share of places at which both models' most probable token is the same. */
  readonly top1: number
  /** The same of the last place of each prompt alone: the beginning of the answer. */
  readonly firstKl: number
  readonly firstTop1: number
  readonly prompts: number
  /** Places that were compared. */
  readonly places: number
  /** Tokens read, rows of images among them. */
  readonly tokens: number
  readonly seconds: number
}

/** Prompts whose streams are in memory at once. */
const PROMPTS_AT_ONCE = 8
/** Log-probabilities held at once, in bytes. */
const HEAD_BYTES = 64 * 2 ** 20

/**
 * Compares a model with a reference on prompts with images, each made by the model's processor and chat template as `generate`
 * makes it.
 * @throws AwqError naming the line of a prompt whose image can not be read; UNSUPPORTED when the models see another number of
 *   tokens in a prompt; rejects with `signal.reason`
 */
export const evaluatePrompts = async (options: EvaluatePromptsOptions): Promise<PromptEvaluation> => {
  const { signal, length = 2048 } = options
  signal?.throwIfAborted()
  const started = performance.now()
  const documents = await readDocuments(options)
  await using cleanup = createCleanup()
  const engine = lazyEngine(options, cleanup)
  const models = [
    await open(options.model, engine, options, cleanup),
    await open(options.against, engine, options, cleanup),
  ]
  checkVocabulary(models[0]!, models[1])
  const tokenizers: Tokenizer[] = []
  for (const { folder } of models) tokenizers.push(await loadTokenizer(folder))
  const forwards = models.map((model) => cleanup.use(model.forward()))
  const totals = { kl: 0, agree: 0, firstKl: 0, firstAgree: 0, places: 0, tokens: 0 }
  for (let first = 0; first < documents.length; first += PROMPTS_AT_ONCE) {
    const group = documents.slice(first, first + PROMPTS_AT_ONCE)
    const carried: Carried[] = []
    for (const [i, model] of models.entries()) {
      const reading = { tokenizer: tokenizers[i]!, readImage: options.readImage, signal }
      carried.push(await carry(model, forwards[i]!, group, length, reading))
    }
    await using scorer = await openScorer(forwards[0]!, forwards[1])
    for (const [i, { where }] of group.entries()) {
      await scorePrompt(scorer, carried, i, where, models, totals, signal)
      options.onProgress?.({ done: first + i + 1, total: documents.length })
    }
  }
  const { places, tokens } = totals
  return {
    kl: totals.kl / places,
    top1: totals.agree / places,
    firstKl: totals.firstKl / documents.length,
    firstTop1: totals.firstAgree / documents.length,
    prompts: documents.length,
    places,
    tokens,
    seconds: (performance.now() - started) / 1000,
  }
}

const readDocuments = async ({ documents, maxPrompts = Number.POSITIVE_INFINITY }: EvaluatePromptsOptions) => {
  if (!(maxPrompts >= 1)) throw new AwqError('INVALID_ARGUMENT', `maxPrompts must be 1 or more, not ${maxPrompts}`)
  const found: ImageDocument[] = []
  let read = 0
  for await (const document of documents) {
    read++
    if (!isImageDocument(document))
      throw new AwqError('INVALID_ARGUMENT', `prompt ${read} has no image; perplexity on texts is what \`text\` is for`)
    found.push(document)
    if (found.length >= maxPrompts) break
  }
  if (found.length === 0) throw new AwqError('INVALID_ARGUMENT', 'there are no prompts')
  return found
}

/** Prompts behind a model's last block. */
interface Carried {
  readonly sequences: readonly ImageSequence[]
  readonly streams: readonly SequenceBatch[]
}

const carry = async (
  model: OpenedModel,
  forward: ForwardModel,
  documents: readonly ImageDocument[],
  length: number,
  reading: ImageSequenceOptions,
): Promise<Carried> => {
  await using images = openImageSequences(model, reading)
  const sequences: ImageSequence[] = []
  const streams: SequenceBatch[] = []
  for (const document of documents) {
    const sequence = await images.read(document, length)
    const embedded = await forward.embed(sequence.textIds, 1)
    const data = (embedded.data as Float32Array).slice()
    images.putRows(sequence, { ...embedded, data })
    sequences.push(sequence)
    streams.push({ ...embedded, data, arrangement: sequence.arrangement })
  }
  await carryStreams(forward, streams, { signal: reading.signal })
  return { sequences, streams }
}

interface Totals {
  kl: number
  agree: number
  firstKl: number
  firstAgree: number
  places: number
  tokens: number
}

/** Places from the last row of the first image on that no row of an image follows; the last one ends the prompt. */
const scoredPlaces = (ids: Int32Array, vocabSize: number): number[] => {
  const first = ids.findIndex((id) => id >= vocabSize)
  const places: number[] = []
  for (let at = first; at < ids.length; at++) if (at === ids.length - 1 || ids[at + 1]! < vocabSize) places.push(at)
  return places
}

const scorePrompt = async (
  scorer: Scorer,
  carried: readonly Carried[],
  prompt: number,
  where: string,
  models: readonly OpenedModel[],
  totals: Totals,
  signal: AbortSignal | undefined,
): Promise<void> => {
  const [own, other] = carried.map(({ sequences }) => sequences[prompt]!)
  if (own!.textIds.join() !== other!.textIds.join())
    throw new AwqError(
      'UNSUPPORTED',
      `${where}: ${models[0]!.folder.name} and ${models[1]!.folder.name} make other tokens of this prompt; their ` +
        'tokenizers, chat templates or image processors differ',
    )
  const { vocabSize } = models[0]!.description.config
  const places = scoredPlaces(own!.ids, vocabSize)
  const rowsOf = (model: number, wanted: readonly number[]): Float32Array => {
    const { hiddenSize } = models[model]!.description.config
    const stream = carried[model]!.streams[prompt]!.data as Float32Array
    const rows = new Float32Array(wanted.length * hiddenSize)
    for (const [i, at] of wanted.entries())
      rows.set(stream.subarray(at * hiddenSize, (at + 1) * hiddenSize), i * hiddenSize)
    return rows
  }
  const chunk = Math.max(1, Math.floor(HEAD_BYTES / (vocabSize * 4)))
  for (let from = 0; from < places.length; from += chunk) {
    const wanted = places.slice(from, from + chunk)
    const scores = await scorer.score(rowsOf(0, wanted), new Int32Array(wanted.length), rowsOf(1, wanted), { signal })
    for (const [i, at] of wanted.entries()) {
      const [kl, agree] = [Math.max(0, scores.kl![i]!), scores.agree![i]!]
      if (!Number.isFinite(kl))
        throw new AwqError('NUMERIC', `${where}: a model's likelihoods are not numbers; its weights are damaged`)
      totals.kl += kl
      totals.agree += agree
      if (at !== own!.ids.length - 1) continue
      totals.firstKl += kl
      totals.firstAgree += agree
    }
  }
  totals.places += places.length
  totals.tokens += own!.ids.length
}
