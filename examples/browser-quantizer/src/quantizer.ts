/**
 * All that this page does with the libraries: quantize a model in a Worker, open the result, let models write.
 * @module
 */
import type { ProgressEvent, QuantizeResult } from '@awq/core'
import { type OutputState, openOutput, outputState, quantizeInWorker, removeOutput } from '@awq/core/browser'
import { type GenerationResult, type LanguageModel, loadModel } from '@awq/runtime'
import type { Folder } from '@awq/tensor'
import { QUANTIZED } from '../../browser-shared/folders.ts'
import type { PageDevice } from '../../browser-shared/machine.ts'
import type { Settings } from './settings.ts'

/** Where results lie in the private file system. */
const pathOf = (output: string): string => `${QUANTIZED}/${output}`

export interface Job {
  readonly folder: Folder
  readonly output: string
  readonly settings: Settings
  readonly device: PageDevice
  /** Texts to calibrate on in place of those that come with the libraries. */
  readonly texts: readonly string[] | undefined
  readonly resume: boolean
  readonly signal: AbortSignal
  readonly onProgress: (event: ProgressEvent) => void
}

/** Text that nothing was calibrated on. */
const measuredOn = async () => {
  const response = await fetch(new URL('../../demo/stories-evaluation.txt', import.meta.url))
  return { name: 'little stories', text: await response.text(), window: 256, maxWindows: 16 }
}

/** Quantizes a model, block by block, in a Worker; what is done stays when it is interrupted. */
export const quantizeModel = async (job: Job): Promise<QuantizeResult> => {
  const { folder, output, settings, device, texts, resume, signal, onProgress } = job
  const { method, bits, groupSize, samples, measure } = settings
  if (!resume) await removeOutput(pathOf(output))
  return await quantizeInWorker({
    ...{ model: folder, output: pathOf(output), method, bits, groupSize, samples, length: 256 },
    ...{ device, resume, signal, onProgress },
    ...(texts ? { calibration: texts } : {}),
    ...(measure ? { measure: await measuredOn() } : {}),
  })
}

/** What earlier runs have left of an output. */
export const lookAtOutput = (output: string): Promise<OutputState> => outputState(pathOf(output))

/** A result, as a folder. */
export const openResult = (output: string): Promise<Folder> => openOutput(pathOf(output))

/** What was measured, as the result's manifest has it. */
export interface Measured {
  readonly perplexity: number
  readonly floatPerplexity?: number
  readonly top1?: number
}

export const measuredOf = async (folder: Folder): Promise<Measured | undefined> =>
  (JSON.parse(await folder.readText('quantization.json')) as { evaluation?: Measured }).evaluation

/** A model that writes. */
export const openWriter = (folder: Folder, device: PageDevice, signal: AbortSignal): Promise<LanguageModel> =>
  loadModel(folder, { device, accuracy: 'exact', contextLength: undefined, signal })

/** Continues a text by the likeliest tokens; every value is a piece. */
export async function* write(
  model: LanguageModel,
  prompt: string,
  signal: AbortSignal,
): AsyncGenerator<string, GenerationResult> {
  const generation = model.generate({ prompt }, { maxNewTokens: 80, signal })
  for await (const { text } of generation) yield text
  return await generation.result
}
