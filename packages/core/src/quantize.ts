/**
 * Quantizes a model block by block, streaming: float weights are in memory one block at a time, every finished block is
 * on the disk, and an interrupted run can go on.
 * @module
 */
import { evaluate } from '@awq/evaluate'
import { type Engine, type EngineChoice, withEngine } from '@awq/ort'
import type { Provenance } from '@awq/quantize'
import type { Folder } from '@awq/tensor'
import { openWorkspace, peakRssBytes } from '#platform'
import { type CalibrationOptions, tokenCount } from './calibration-text.ts'
import { checkWeights } from './check-weights.ts'
import { checkFormatNames } from './export-store.ts'
import { inputTokensOf, wantsQuantizedInputs } from './kept-inputs.ts'
import { type MemoryUse, memoryBound } from './memory.ts'
import { DEFAULT_METHOD, type Method, type MethodOptions, resolveMethod, unusedOptionsWarning } from './methods.ts'
import type { BitsPlan } from './plan.ts'
import type { PlanTarget } from './plan-budget.ts'
import type { PlannedModel } from './plan-model.ts'
import { planForTarget } from './plan-target.ts'
import type { OnProgress } from './progress.ts'
import { quantizeVariants } from './quantize-variants.ts'
import type { QuantizationRecord } from './record.ts'
import { quantizationRecord } from './record-model.ts'
import { openSource, type SourceModel } from './source-model.ts'
import { type StageSeconds, withOther } from './stages.ts'
import type { TableBits } from './tables.ts'
import type { VisionBits } from './vision-tensors.ts'
import type { Workspace } from './workspace.ts'

/** Bits, groups and tables. */
export interface QuantizationOptions {
  /** Bits of the linears; default 4, and 8 for `smoothquant`. */
  readonly bits?: 2 | 3 | 4 | 8 | undefined
  /** Input channels that share a scale: 16, 32, 64, 128 or 256, or -1 for a whole row; default 128. */
  readonly groupSize?: number | undefined
  /** Without zero points; default false. */
  readonly symmetric?: boolean | undefined
  /** Bits of the output head, 4, 8 or 16; default 8. */
  readonly headBits?: TableBits | undefined
  /** Bits of the embedding table, 4, 8 or 16; default 8. */
  readonly embeddingBits?: TableBits | undefined
  /** Bits of the vision tower's and the projector's linears, 8 or 16; default 16. Their other tensors stay float. */
  readonly visionBits?: VisionBits | undefined
  /** Bits and group of each matrix on its own, in place of the options above. */
  readonly plan?: BitsPlan | undefined
}

/** Where and how to compute. */
export interface ComputeOptions extends EngineChoice {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
}

/** Options of `quantize`. */
export interface QuantizeOptions
  extends QuantizationOptions,
    PlanTarget,
    MethodOptions,
    CalibrationOptions,
    ComputeOptions {
  /** A folder, or (in Node) a path or a hub id. */
  readonly model: Folder | string
  /**
   * Path of the output folder, in browsers within the origin's private file system; made if it does not exist, and must be
   * empty if it does.
   */
  readonly output: string
  /** A name from `methods`, or a method of your own; default `awq-gptq`. */
  readonly method?: string | Method | undefined
  /** Go on with an interrupted run that had the same options. */
  readonly resume?: boolean | undefined
  /** Return a record of what was done: three products with its Gram matrix more for every linear. */
  readonly record?: boolean | undefined
  /**
   * Names of the formats to write; default our own store (`awq`). One goes to the output itself, several go to a folder of
   * its name each.
   */
  readonly formats?: readonly string[] | undefined
  /** Measure perplexity and divergence from the float model on this text when all is done, for the model card. */
  readonly measure?: MeasureOptions | undefined
  /** The command at work, for the model card. */
  readonly command?: string | undefined
}

/** What to measure a finished model on. */
export interface MeasureOptions {
  /** What the model card calls the text. */
  readonly name: string
  readonly text: string
  /** Tokens of a window; default 2048, at most the model's context. */
  readonly window?: number | undefined
  readonly maxWindows?: number | undefined
}

/** What `quantize` did. */
export interface QuantizeResult {
  readonly output: string
  readonly method: string
  readonly seconds: number
  /** What these seconds were spent on; their sum. */
  readonly stages: readonly StageSeconds[]
  /** The most memory the process has used; not there on pages, which are not told. */
  readonly peakRssBytes?: number
  /** The same beside what a quantization is meant to stay within. */
  readonly memory: MemoryUse
  /** Bytes of the checkpoint's tensors, and of the files written. */
  readonly inputBytes: number
  readonly outputBytes: number
  /** Blocks quantized by this run, and taken over from an interrupted one. */
  readonly layers: number
  readonly resumedLayers: number
  /** The plan that was made for a target size. */
  readonly planned?: PlannedModel
  /** There when it was asked for. */
  readonly record?: QuantizationRecord
}

/** Measures a store against its source, as the options ask. */
const measurement = (
  model: SourceModel,
  engine: Engine,
  { measure, signal, onProgress }: QuantizeOptions,
): ((store: Folder) => Promise<Provenance['evaluation']>) | undefined => {
  if (!measure) return undefined
  const { name, text, window, maxWindows } = measure
  return async (store) => {
    onProgress?.({ type: 'stage', stage: 'evaluate' })
    const settings = {
      ...{ engine, text, window, maxWindows, signal },
      onProgress: ({ done, total }: { readonly done: number; readonly total: number }) =>
        onProgress?.({ type: 'progress', stage: 'evaluate', completed: done, total }),
    }
    const {
      perplexity,
      kl,
      top1,
      tokens,
      window: used,
    } = await evaluate({ ...settings, model: store, against: model.folder })
    const float = await evaluate({ ...settings, model: model.folder })
    return { text: name, tokens, window: used, perplexity, floatPerplexity: float.perplexity, kl, top1 }
  }
}

/**
 * Quantizes a model.
 * @throws AwqError for an unsupported model, calibration text that is too short, an output folder that is not empty,
 * weights that are not finite, a full disk; rejects with `signal.reason` when aborted, leaving work that `resume` continues
 */
export const quantize = (options: QuantizeOptions): Promise<QuantizeResult> =>
  quantizeInto(() => openWorkspace(options.output), options)

/** `quantize` with the output opened by the caller, once it is known that the model can be quantized. */
export const quantizeInto = async (
  open: () => Promise<Workspace>,
  options: QuantizeOptions,
): Promise<QuantizeResult> => {
  const started = performance.now()
  if (options.formats) checkFormatNames(options.formats)
  const method = resolveMethod(options.method ?? DEFAULT_METHOD, options)
  const unused = unusedOptionsWarning([options.method ?? DEFAULT_METHOD], options)
  if (unused) options.onProgress?.({ type: 'warning', message: unused })
  await using model = await openSource(options.model, options)
  await checkWeights(model, options.signal)
  await using workspace = await open()
  return await withEngine(options, async (engine) => {
    const planned = await planForTarget({ ...options, model, engine, method, workspace })
    const planSeconds = (performance.now() - started) / 1000
    const [done] = await quantizeVariants({
      model,
      engine,
      variants: [{ ...options, method, workspace, planned, measure: measurement(model, engine, options) }],
      calibration: options,
      resume: options.resume ?? false,
      record: options.record,
      signal: options.signal,
      onProgress: options.onProgress ?? (() => {}),
    })
    const { outputBytes, layers, resumedLayers, recorded, tokens, stages } = done!
    const seconds = (performance.now() - started) / 1000
    const peak = peakRssBytes()
    const rss = peak === undefined ? {} : { peakRssBytes: peak }
    const heapBytes = (await engine.memory?.())?.heapBytes
    const result: QuantizeResult = {
      output: options.output,
      method: method.name,
      seconds,
      stages: withOther(planned ? [{ stage: 'plan', seconds: planSeconds }, ...stages] : stages, seconds),
      ...rss,
      memory: {
        ...rss,
        ...(heapBytes === undefined ? {} : { heapBytes }),
        ...memoryBound(
          model.description,
          tokens && { count: tokenCount(tokens), images: tokens.sequences.length > 0 },
          { inputTokens: inputTokensOf(method.passes), quantizedInputs: wantsQuantizedInputs(method.passes) },
          planned?.model.streamBytes,
        ),
      },
      inputBytes: model.bytes,
      outputBytes,
      layers,
      resumedLayers,
      ...(planned ? { planned: planned.model } : {}),
    }
    if (!options.record) return result
    return { ...result, record: quantizationRecord({ model, method, options, engine, recorded, tokens, result }) }
  })
}
