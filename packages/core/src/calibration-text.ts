/**
 * Calibration text to token blocks.
 * @module
 */

import { AwqError } from '@awq/tensor'
import { bundledText, loadTokenizer, tokenBlocks } from '@awq/text'
import { openTexts } from '#platform'
import type { OnProgress } from './progress.ts'
import type { SourceModel } from './source-model.ts'

/** What the activations are measured on. */
export interface CalibrationOptions {
  /**
   * Texts, or (in Node) a path to a text, JSONL or parquet file, or the name of a data set. Without one, the text that
   * ships with `@awq/text`.
   */
  readonly calibration?: string | readonly string[] | undefined
  /** Token blocks; default 128. */
  readonly samples?: number | undefined
  /** Tokens in a block; default 512. */
  readonly length?: number | undefined
  /** Shuffles the blocks with this seed; without it they are taken in file order. */
  readonly seed?: number | undefined
  /**
   * Mixtures of experts: show every token to every expert while statistics are collected, not to those alone that the router
   * takes; default false.
   */
  readonly moeCalibrateAll?: boolean | undefined
}

/** Token blocks of equal length. */
export interface CalibrationTokens {
  readonly blocks: readonly Int32Array[]
  readonly length: number
  /** Where the text came from, for the manifest. */
  readonly source: string
}

async function* each(texts: readonly string[]): AsyncGenerator<string> {
  for (const text of texts) yield text
}

/**
 * What the manifest calls the text: a file outside the working directory by its name alone, because its folders tell who
 * made the model, and where; a data set or a file nearby as it was given.
 */
const sourceName = (reference: string): string =>
  /^(?:[./~\\]|[A-Za-z]:)/.test(reference) ? (reference.split(/[/\\]/).at(-1) ?? reference) : reference

/** Reads, tokenises and cuts the calibration text. */
export const calibrationTokens = async (
  model: SourceModel,
  options: CalibrationOptions,
  signal: AbortSignal | undefined,
  onProgress: OnProgress,
): Promise<CalibrationTokens> => {
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
  const { blocks, length } = await tokenBlocks(texts, tokenizer, {
    contextLength: model.description.config.contextLength,
    samples: options.samples,
    length: options.length,
    seed: options.seed,
    signal,
    onWarning: (message) => onProgress({ type: 'warning', message }),
  })
  return { blocks, length, source }
}
