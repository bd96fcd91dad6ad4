/**
 * Several methods and bit widths on one model: quality, size and time side by side.
 * @module
 */
import { type EvaluateOptions, evaluate } from '@awq/evaluate'
import { withEngine } from '@awq/ort'
import { type Folder, openCheckpoint } from '@awq/tensor'
import { openWorkspace, resolveFolder, temporaryFolder } from '#platform'
import type { CalibrationOptions } from './calibration-text.ts'
import { checkWeights } from './check-weights.ts'
import { type Method, type MethodOptions, resolveMethod, unusedOptionsWarning } from './methods.ts'
import type { ComputeOptions, QuantizationOptions } from './quantize.ts'
import { quantizeVariants } from './quantize-variants.ts'
import { openSource } from './source-model.ts'
import { weightCount } from './vision-tensors.ts'

/** Options of `compare`. */
export interface CompareOptions
  extends Omit<QuantizationOptions, 'bits'>,
    MethodOptions,
    CalibrationOptions,
    ComputeOptions {
  /** A folder, or (in Node) a path or a hub id. */
  readonly model: Folder | string
  readonly methods: readonly (string | Method)[]
  readonly bits: readonly (2 | 3 | 4 | 8)[]
  /** The text that perplexity is measured on; other than the calibration text. */
  readonly text: string
  /** Tokens in a window; default 2048, at most the model's context. */
  readonly window?: number | undefined
  readonly maxWindows?: number | undefined
  /**
   * How the quantized models run: `exact` (the default) with float32 activations, `fast` with activations rounded to 8
   * bits. The float model is always exact.
   */
  readonly accuracy?: EvaluateOptions['accuracy']
  /** Called with each row as soon as it is known; the float row comes first. */
  readonly onRow?: ((row: CompareRow) => void) | undefined
}

/** A row of the table. */
export interface CompareRow {
  /** `float` for the checkpoint itself. */
  readonly method: string
  /** Bits of a linear's code, and the bits it takes in the store; 16 or 32 for the float row. */
  readonly bits: number
  readonly storedBits: number
  /** Bits of all stored tensors over the number of parameters: scales, zero points and tables included. */
  readonly bitsPerWeight: number
  readonly perplexity: number
  /** Mean KL divergence from the float model, nats per token. */
  readonly kl?: number
  /** Share of tokens on which the float model's first choice is kept. */
  readonly top1?: number
  /** Seconds to quantize by this method alone: from the calibration text to the written model, without the evaluation. */
  readonly seconds: number
  /** Bytes of all stored tensors. */
  readonly bytes: number
}

const tensorBytes = async (folder: Folder): Promise<number> => {
  await using checkpoint = await openCheckpoint(folder)
  return [...checkpoint.tensors.values()].reduce((sum, { length }) => sum + length, 0)
}

/**
 * Quantizes a model by every method at every bit width and evaluates each result and the float model on a text. The
 * quantized models lie in a temporary folder while this runs.
 * @returns the float row, then a row for each bit width and method
 */
export const compare = async (options: CompareOptions): Promise<CompareRow[]> => {
  const { signal, onProgress = () => {}, onRow = () => {} } = options
  await using model = await openSource(options.model, options)
  await checkWeights(model, options.signal)
  await using scratch = await temporaryFolder()
  const plans = options.bits.flatMap((bits) =>
    options.methods.map((method) => ({ bits, method: resolveMethod(method, options) })),
  )
  const unused = unusedOptionsWarning(options.methods, options)
  if (unused) onProgress({ type: 'warning', message: unused })
  const parameters = weightCount(model)
  return await withEngine(options, async (engine) => {
    const measure = async (folder: Folder, reference: Folder | undefined, label: string) => {
      onProgress({ type: 'stage', stage: 'evaluate', message: label })
      return evaluate({
        model: folder,
        engine,
        text: options.text,
        against: reference,
        window: options.window,
        maxWindows: options.maxWindows,
        accuracy: options.accuracy,
        signal,
        onProgress: ({ done, total }) => onProgress({ type: 'progress', stage: 'evaluate', completed: done, total }),
        // The second model would only repeat what was said of the text.
        onWarning: reference ? undefined : (message) => onProgress({ type: 'warning', message }),
      })
    }
    const rows: CompareRow[] = []
    const add = (row: CompareRow) => {
      rows.push(row)
      onRow(row)
    }
    const floatBits = (model.bytes * 8) / parameters
    const { perplexity } = await measure(model.folder, undefined, 'the float model')
    const width = Math.round(floatBits)
    add({
      method: 'float',
      bits: width,
      storedBits: width,
      bitsPerWeight: floatBits,
      perplexity,
      seconds: 0,
      bytes: model.bytes,
    })
    const pathOf = (index: number) => `${scratch.path}/${index}`
    const variants = await Promise.all(
      plans.map(async (plan, i) => ({ ...options, ...plan, workspace: await openWorkspace(pathOf(i)) })),
    )
    const results = await quantizeVariants({
      model,
      engine,
      variants,
      calibration: options,
      resume: false,
      signal,
      onProgress,
    }).finally(() => Promise.all(variants.map(({ workspace }) => workspace[Symbol.asyncDispose]())))
    for (const [i, { bits, method }] of plans.entries()) {
      const folder = await resolveFolder(pathOf(i), {})
      const { perplexity, kl, top1 } = await measure(folder, model.folder, `${method.name}, ${bits} bits`)
      const bytes = await tensorBytes(folder)
      add({
        method: method.name,
        bits,
        storedBits: bits === 3 ? 4 : bits,
        bitsPerWeight: (bytes * 8) / parameters,
        perplexity,
        ...(kl === undefined ? {} : { kl }),
        ...(top1 === undefined ? {} : { top1 }),
        seconds: results[i]!.seconds,
        bytes,
      })
    }
    return rows
  })
}
