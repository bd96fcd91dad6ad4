/**
 * Calibration text to token blocks.
 * @module
 */

import type { Engine } from '@awq/ort'
import { type ImageSequence, type ImageSequences, type ImageSource, openImageSequences, openModel } from '@awq/runtime'
import { AwqError } from '@awq/tensor'
import {
  bundledText,
  type ChatMessage,
  cutSamples,
  documentOf,
  type ImageDocument,
  loadTokenizer,
  type TextDocument,
} from '@awq/text'
import { openTexts, readNamedImage } from '#platform'
import type { OnProgress } from './progress.ts'
import type { SourceModel } from './source-model.ts'

/** What activations are measured on, one of many: a text, a conversation, or either with images. */
export type CalibrationSample =
  | string
  | readonly ChatMessage[]
  | {
      readonly text?: string
      readonly messages?: readonly ChatMessage[]
      /** In Node also the path of a file. */
      readonly image?: ImageSource
      readonly images?: readonly ImageSource[]
    }

/** What the activations are measured on. */
export interface CalibrationOptions {
  /**
   * Texts, or (in Node) a path to a text, JSONL or parquet file, or the name of a data set. Without one, the text that
   * ships with `@awq/text`. Records may have images, for a model that sees: `image` or `images` beside the text, or parts of
   * `messages` as OpenAI and transformers write them; names are files beside the JSONL.
   */
  readonly calibration?: string | readonly CalibrationSample[] | undefined
  /** Token blocks, and records with images; default 128. */
  readonly samples?: number | undefined
  /** Tokens in a block; default 512. A record with images is as long as it is, its text cut there. */
  readonly length?: number | undefined
  /** Shuffles the blocks with this seed; without it they are taken in file order. */
  readonly seed?: number | undefined
  /**
   * Mixtures of experts: show every token to every expert while statistics are collected, not to those alone that the router
   * takes; default false.
   */
  readonly moeCalibrateAll?: boolean | undefined
}

/** What the statistics are taken on. */
export interface CalibrationTokens {
  /** Text, in blocks of equal length. */
  readonly blocks: readonly Int32Array[]
  readonly length: number
  /** Records with images, each of its own length. */
  readonly sequences: readonly ImageSequence[]
  /** Where the text came from, for the manifest. */
  readonly source: string
}

/** The rows of the images of sequences: they are let go of once the streams have them. */
export type ImageRows = Pick<ImageSequences, 'putRows' | 'bytes'>

/** What a manifest and a record say of it. */
export const calibrationFacts = (tokens: CalibrationTokens) => {
  const { source, blocks, length, sequences } = tokens
  const images = { samples: sequences.length, tokens: sequences.reduce((sum, { ids }) => sum + ids.length, 0) }
  return { source, samples: blocks.length, length, ...(images.samples > 0 ? { images } : {}) }
}

/** All tokens. */
export const tokenCount = ({ blocks, length, sequences }: Omit<CalibrationTokens, 'source'>): number =>
  sequences.reduce((sum, { ids }) => sum + ids.length, blocks.length * length)

async function* each(samples: readonly CalibrationSample[]): AsyncGenerator<TextDocument> {
  for (const [i, sample] of samples.entries()) yield documentOf(sample, `calibration[${i}]`)
}

/**
 * What the manifest calls the text: a file outside the working directory by its name alone, because its folders tell who
 * made the model, and where; a data set or a file nearby as it was given.
 */
const sourceName = (reference: string): string =>
  /^(?:[./~\\]|[A-Za-z]:)/.test(reference) ? (reference.split(/[/\\]/).at(-1) ?? reference) : reference

/** What calibration data are read with. */
export interface CalibrationReading {
  readonly engine: Engine
  readonly signal: AbortSignal | undefined
  readonly onProgress: OnProgress
}

/** Reads, tokenises and cuts the calibration text, and makes features of its images. */
export const calibrationTokens = async (
  model: SourceModel,
  options: CalibrationOptions,
  { engine, signal, onProgress }: CalibrationReading,
): Promise<{ readonly tokens: CalibrationTokens; readonly rows: ImageRows | undefined }> => {
  onProgress({ type: 'stage', stage: 'tokenize' })
  const { calibration } = options
  if (calibration !== undefined && typeof calibration !== 'string' && !Array.isArray(calibration))
    throw new AwqError(
      'INVALID_ARGUMENT',
      'calibration: give an array of texts, or the path of a file; samples, length and seed are options beside it',
    )
  if (Array.isArray(calibration) && calibration.length === 0)
    throw new AwqError('INVALID_ARGUMENT', 'calibration: the array of texts is empty')
  const tokenizer = await loadTokenizer(model.folder)
  const texts =
    calibration === undefined
      ? each([await bundledText()])
      : typeof calibration === 'string'
        ? await openTexts(calibration, { signal })
        : each(calibration)
  const source =
    calibration === undefined ? 'bundled' : typeof calibration === 'string' ? sourceName(calibration) : 'texts'
  const { samples, length } = await cutSamples(texts, tokenizer, {
    contextLength: model.description.config.contextLength,
    samples: options.samples,
    length: options.length,
    seed: options.seed,
    signal,
    onWarning: (message) => onProgress({ type: 'warning', message }),
  })
  const blocks = samples.filter((sample) => sample instanceof Int32Array)
  const documents = samples.filter((sample): sample is ImageDocument => !(sample instanceof Int32Array))
  if (documents.length === 0) return { tokens: { blocks, length, sequences: [], source }, rows: undefined }
  onProgress({ type: 'stage', stage: 'see' })
  await using opened = await openModel(model.folder, engine, { signal })
  await using images = openImageSequences(opened, { tokenizer, readImage: readNamedImage, signal })
  const sequences: ImageSequence[] = []
  for (const document of documents) {
    sequences.push(await images.read(document, length))
    onProgress({ type: 'progress', stage: 'see', completed: sequences.length, total: documents.length })
  }
  return { tokens: { blocks, length, sequences, source }, rows: images }
}
