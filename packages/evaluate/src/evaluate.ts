/**
 * Perplexity of a model on a text, and how far it is from a reference model.
 * @module
 */
import type { ForwardModel } from '@awq/models'
import type { Engine } from '@awq/ort'
import type { Accuracy, OpenedModel } from '@awq/runtime'
import { AwqError } from '@awq/tensor'
import { loadTokenizer } from '@awq/text'
import { checkVocabulary, createCleanup, type EvaluatedModel, lazyEngine, open } from './open-models.ts'
import { openScorer, type Scorer } from './scores.ts'
import { residualStreams } from './streams.ts'
import { cutWindows, type Windows } from './windows.ts'

/** Progress: `done` of `total` blocks and window heads of all passes. */
export interface EvaluateProgress {
  readonly stage: 'forward' | 'score'
  readonly done: number
  readonly total: number
  readonly windows: number
}

/** What to evaluate and on what. Exactly one of `text` and `tokens`. */
export interface EvaluateOptions {
  readonly model: EvaluatedModel
  /** The reference, usually the float checkpoint: adds `kl` and `top1`. It must have the same vocabulary. */
  readonly against?: EvaluatedModel | undefined
  /** Needed for folders; made for the CPU, and disposed, when absent. */
  readonly engine?: Engine | undefined
  /**
   * Tokenised once as a whole, without special tokens; several documents are joined by an empty line. Line ends are read
   * as Python reads text files, so that figures compare with published ones: `\r\n` and `\r` are `\n`.
   */
  readonly text?: string | Iterable<string> | AsyncIterable<string> | undefined
  readonly tokens?: ArrayLike<number> | undefined
  /** Tokens per window, 2048 by default. */
  readonly window?: number | undefined
  /** Use only the first windows. */
  readonly maxWindows?: number | undefined
  /** For folders: `exact` (the default) or `fast`. */
  readonly accuracy?: Accuracy | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((event: EvaluateProgress) => void) | undefined
  /** Told when the window was cut to the context or to the text. */
  readonly onWarning?: ((message: string) => void) | undefined
}

/** The figures. */
export interface Evaluation {
  /** exp of the mean over windows of each window's mean negative log-likelihood. */
  readonly perplexity: number
  /** Tokens read: windows * window. Each window predicts all of its tokens but the first. */
  readonly tokens: number
  readonly windows: number
  /** Tokens per window. */
  readonly window: number
  /** Mean KL(reference || model) per predicted token, in nats. */
  readonly kl?: number
  /** Share of predicted tokens at which both models' most probable token is the same. */
  readonly top1?: number
  readonly seconds: number
}

/** Residual streams held at once, in bytes; more windows are done group by group, which reads the weights again. */
const streamBudget = 512 * 2 ** 20
/** Log-probabilities held at once, in bytes. */
const headBudget = 64 * 2 ** 20

/**
 * Perplexity in the form of the GPTQ and AWQ papers: non-overlapping windows, mean over each window's n - 1
 * predictions, exp of the mean over windows. Block by block, float and quantized through the same forward pass.
 * @throws AwqError INVALID_ARGUMENT for less than two tokens or impossible options, UNSUPPORTED when the vocabularies
 * differ, NUMERIC when a likelihood is not a number; rejects with `signal.reason`
 */
export const evaluate = async (options: EvaluateOptions): Promise<Evaluation> => {
  const { signal } = options
  signal?.throwIfAborted()
  const started = performance.now()
  await using cleanup = createCleanup()
  const engines = lazyEngine(options, cleanup)
  const model = await open(options.model, engines, options, cleanup)
  const against = options.against && (await open(options.against, engines, options, cleanup))
  checkVocabulary(model, against)
  const windows = cutWindows(await readTokens(options, model), {
    window: options.window ?? 2048,
    contextLength: Math.min(...[model, against].flatMap((one) => (one ? [one.description.config.contextLength] : []))),
    maxWindows: options.maxWindows,
  })
  for (const warning of windows.warnings) options.onWarning?.(warning)
  const totals = await run(cleanup.use(model.forward()), against && cleanup.use(against.forward()), windows, options)
  const predictions = windows.count * (windows.length - 1)
  return {
    perplexity: Math.exp(totals.nll / windows.count),
    tokens: windows.count * windows.length,
    windows: windows.count,
    window: windows.length,
    ...(against ? { kl: totals.kl / predictions, top1: totals.agree / predictions } : {}),
    seconds: (performance.now() - started) / 1000,
  }
}

interface Totals {
  /** Sum over windows of the mean NLL. */
  nll: number
  kl: number
  agree: number
}

const run = async (
  model: ForwardModel,
  against: ForwardModel | undefined,
  windows: Windows,
  options: EvaluateOptions,
): Promise<Totals> => {
  const { signal, onProgress } = options
  const models = against ? [model, against] : [model]
  const widths = models.reduce((sum, one) => sum + one.description.config.hiddenSize, 0)
  const perGroup = Math.max(1, Math.floor(streamBudget / (windows.length * widths * 4)))
  const groups = Math.ceil(windows.count / perGroup)
  const total = groups * models.reduce((sum, one) => sum + one.description.config.layers, 0) + windows.count
  let done = 0
  const report = (stage: EvaluateProgress['stage']) => {
    done++
    onProgress?.({ stage, done, total, windows: windows.count })
  }
  const totals: Totals = { nll: 0, kl: 0, agree: 0 }
  for (let first = 0; first < windows.count; first += perGroup) {
    const count = Math.min(perGroup, windows.count - first)
    const ids = Array.from({ length: count }, (_, i) => windows.at(first + i))
    const streams: Float32Array[][] = []
    for (const one of models) {
      const onBlock = () => report('forward')
      streams.push(await residualStreams(one, ids, { onBlock, signal }))
    }
    await using scorer = await openScorer(model, against)
    for (const [i, window] of ids.entries()) {
      const reference = streams[1]?.[i]
      await scoreWindow(scorer, model, window, streams[0]?.[i] as Float32Array, reference, totals, signal)
      report('score')
    }
  }
  return totals
}

const scoreWindow = async (
  scorer: Scorer,
  model: ForwardModel,
  window: Int32Array,
  stream: Float32Array,
  reference: Float32Array | undefined,
  totals: Totals,
  signal: AbortSignal | undefined,
): Promise<void> => {
  const { vocabSize, hiddenSize } = model.description.config
  const predictions = window.length - 1
  const referenceSize = reference ? reference.length / window.length : 0
  const chunk = Math.max(1, Math.floor(headBudget / (vocabSize * 4)))
  let nll = 0
  for (let at = 0; at < predictions; at += chunk) {
    const end = Math.min(at + chunk, predictions)
    const scores = await scorer.score(
      stream.subarray(at * hiddenSize, end * hiddenSize),
      window.subarray(at + 1, end + 1),
      reference?.subarray(at * referenceSize, end * referenceSize),
      { signal },
    )
    nll += sum(scores.nll)
    // A tiny negative sum is rounding: a divergence is never below zero.
    if (scores.kl) for (const value of scores.kl) totals.kl += Math.max(0, value)
    if (scores.agree) totals.agree += sum(scores.agree)
  }
  if (!Number.isFinite(nll)) {
    throw new AwqError(
      'NUMERIC',
      "The model gave a likelihood that is not a number; its weights are damaged or its arithmetic overflows. Try accuracy 'exact'.",
    )
  }
  totals.nll += nll / predictions
}

const sum = (values: ArrayLike<number>): number => {
  let total = 0
  for (let i = 0; i < values.length; i++) total += values[i] as number
  return total
}

const readTokens = async (options: EvaluateOptions, model: OpenedModel): Promise<Int32Array> => {
  const { text, tokens } = options
  if ((text === undefined) === (tokens === undefined)) {
    throw new AwqError('INVALID_ARGUMENT', 'Give evaluate either text or tokens, not both.')
  }
  if (tokens !== undefined) {
    const ids = Array.from(tokens)
    const wrong = ids.findIndex((id) => !Number.isSafeInteger(id))
    if (wrong >= 0) throw new AwqError('INVALID_ARGUMENT', `tokens[${wrong}] is ${ids[wrong]}, not a token id.`)
    return Int32Array.from(ids)
  }
  const tokenizer = await loadTokenizer(model.folder)
  return Int32Array.from(tokenizer.encode(await joinText(text as NonNullable<typeof text>)))
}

/** One text of many documents, with line ends as `\n`. */
export const joinText = async (text: string | Iterable<string> | AsyncIterable<string>): Promise<string> => {
  const documents: string[] = []
  if (typeof text === 'string') documents.push(text)
  else for await (const document of text) documents.push(document)
  return documents.join('\n\n').replaceAll(/\r\n?/g, '\n')
}
