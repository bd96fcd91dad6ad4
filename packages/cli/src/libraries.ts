import type { Folder } from '@awq/tensor'
import type { ProgressEvent } from './progress.ts'

export type Device = 'cpu' | 'cuda' | 'webgpu'
export type Accuracy = 'exact' | 'fast'
export type Method = 'awq' | 'rtn' | 'gptq' | 'awq-gptq'

/** What every long call takes. */
export interface Watching {
  signal?: AbortSignal
  onProgress?: (event: ProgressEvent) => void
}

/** Finding a model: a local folder, or a hub id to download. */
export interface TensorLibrary {
  resolveModel(
    reference: string,
    options?: {
      revision?: string
      cacheDir?: string
      token?: string
      signal?: AbortSignal
      onProgress?: (event: { file: string; loaded: number; total: number }) => void
    },
  ): Promise<Folder>
}

/** Reading text: a file (plain, JSONL, parquet) or a data set by name. */
export interface TextLibrary {
  openText(reference: string, options?: { signal?: AbortSignal }): Promise<AsyncIterable<unknown>>
}

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant'
  content: string
}

/** Sampling and stopping; see `@awq/runtime`. */
export interface GenerateOptions {
  maxNewTokens?: number
  temperature?: number
  topK?: number
  topP?: number
  minP?: number
  repetitionPenalty?: number
  seed?: number
  stop?: string[]
  signal?: AbortSignal
}

/** A loaded model. */
export interface LanguageModel {
  readonly tokenizer: { decode(ids: number[]): string; readonly chatTemplate?: string | undefined }
  generate(
    prompt: { prompt: string } | { messages: ChatMessage[] },
    options?: GenerateOptions,
  ): AsyncIterable<{ readonly text: string }>
  logits(
    ids: readonly number[],
    options?: { all?: boolean; signal?: AbortSignal },
  ): Promise<Float32Array | Float32Array[]>
  [Symbol.asyncDispose](): Promise<void>
}

export interface RuntimeLibrary {
  loadModel(
    model: Folder,
    options: Watching & { device?: Device; threads?: number; accuracy?: Accuracy; contextLength?: number },
  ): Promise<LanguageModel>
}

export interface EvaluateLibrary {
  evaluate(
    options: Watching & {
      model: LanguageModel
      against?: LanguageModel
      text: string
      window?: number
      maxWindows?: number
    },
  ): Promise<{ perplexity: number; tokens: number; kl?: number; top1?: number }>
}

/** How matrices are stored and what the statistics are taken on. */
export interface GridOptions {
  groupSize: number
  symmetric: boolean
  headBits: 4 | 8 | 16
  embeddingBits: 4 | 8 | 16
  calibration?: string
  samples: number
  length: number
  seed?: number
  device: Device
  threads?: number
}

export interface QuantizeResult {
  readonly output: string
  readonly method: string
  readonly seconds: number
  readonly peakRssBytes: number
  readonly inputBytes: number
  readonly outputBytes: number
}

export interface CompareRow {
  readonly method: string
  readonly bits: number
  readonly storedBits: number
  readonly bitsPerWeight: number
  readonly perplexity: number
  readonly kl?: number
  readonly top1?: number
  readonly seconds: number
  readonly bytes: number
}

export interface Inspection {
  readonly kind: 'float' | 'quantized'
  readonly architecture: string
  readonly parameters: number
  readonly bytes: number
  readonly tensors: readonly { name: string; dtype: string; shape: readonly number[]; bytes: number }[]
  readonly scaleGroups: readonly { name: string; kind: string; producer: string; consumers: readonly string[] }[]
}

export interface CoreLibrary {
  quantize(
    options: Watching &
      GridOptions & {
        model: Folder
        output: string
        method: Method
        bits: 2 | 3 | 4 | 8
        resume?: boolean
        overwrite?: boolean
      },
  ): Promise<QuantizeResult>
  compare(
    options: Watching &
      GridOptions & {
        model: Folder
        text: string
        methods: Method[]
        bits: (2 | 3 | 4 | 8)[]
        window?: number
        maxWindows?: number
        onRow?: (row: CompareRow) => void
      },
  ): Promise<readonly CompareRow[]>
  inspect(model: Folder): Promise<Inspection>
}

/** The libraries behind the commands, each loaded when a command first needs it: `awq --help` loads none. */
export interface Libraries {
  readonly tensor: () => Promise<TensorLibrary>
  readonly text: () => Promise<TextLibrary>
  readonly runtime: () => Promise<RuntimeLibrary>
  readonly evaluate: () => Promise<EvaluateLibrary>
  readonly core: () => Promise<CoreLibrary>
}
