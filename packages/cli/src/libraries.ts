import type { CompareRow, InspectedTensor, QuantizationRecord, QuantizeResult, TableBits } from '@awq/core'
import type {
  EvaluatePromptsOptions,
  EvaluateTaskOptions,
  PromptEvaluation,
  Task,
  TaskEvaluation,
  TaskName,
} from '@awq/evaluate'
import type { CodeSandbox, CodeSandboxOptions, openTaskFile } from '@awq/evaluate/node'
import type { FolderWriter, Format, PortableModel, ReadOptions, WriteOptions } from '@awq/formats'
import type { RgbImage } from '@awq/image'
import type { Device, Engine, EngineName } from '@awq/ort'
import type {
  Accuracy,
  BatchOptions,
  BenchmarkOptions,
  BenchmarkResult,
  GenerateOptions,
  LoadOptions,
  LanguageModel as ServableModel,
} from '@awq/runtime'
import type { Logger, MetricValues, ModelNeeds, ModelRegistry, RunningServer, ServerLimits } from '@awq/runtime/server'
import type { Folder } from '@awq/tensor'
import type { TextDocument } from '@awq/text'
import type { ProgressEvent } from './progress.ts'

export type { CompareRow, InspectedTensor, QuantizationRecord, TableBits } from '@awq/core'
export type { TaskEvaluation, TaskName } from '@awq/evaluate'
export type { PortableModel } from '@awq/formats'
export type { Device, EngineName } from '@awq/ort'
export type {
  Accuracy,
  BatchOptions,
  BenchmarkOptions,
  BenchmarkResult,
  GenerateOptions,
  LanguageModel as ServableModel,
} from '@awq/runtime'

/** Which form of attention a graph uses. */
export type AttentionForm = NonNullable<LoadOptions['attention']>

// The commands see the libraries through these narrow interfaces, so that a test can stand in for each with a few
// lines; node-libraries.ts is where the compiler checks that the real ones fit.

export type Method = 'awq' | 'rtn' | 'gptq' | 'awq-gptq' | 'smoothquant' | 'smoothquant-awq'
export type Bits = 2 | 3 | 4 | 8

/** How to reach the hub. */
export interface HubOptions {
  cacheDir?: string
  token?: string
  signal?: AbortSignal
  onProgress?: (event: { file: string; loaded: number; total: number }) => void
}

/** Finding a model: a local folder, or a hub id to download. */
export interface TensorLibrary {
  resolveModel(reference: string, options?: HubOptions & { revision?: string }): Promise<Folder>
  /** Commits the files of a folder to a model repository of the hub. */
  pushToHub(
    folder: string,
    repository: string,
    options: Omit<HubOptions, 'cacheDir'> & {
      revision?: string
      private?: boolean
      message?: string
      onWarning?: (message: string) => void
    },
  ): Promise<{ url: string; revision: string; files: readonly string[]; bytes: number }>
}

/** Reading text: a file (plain, JSONL, parquet) or a data set by name. */
export interface TextLibrary {
  openText(reference: string, options?: HubOptions): Promise<AsyncIterable<TextDocument>>
}

/** Names for token ids. */
export interface TokenizerLibrary {
  loadTokenizer(model: Folder): Promise<{
    /** `continuation` keeps the space before a word. */
    createDecoder(options: { continuation: boolean }): { push(id: number): string; flush(): string }
  }>
}

/** Where the arithmetic runs. */
export interface EngineSettings {
  device?: Device
  threads?: number
  engine?: EngineName
  /** Told why another engine is used than the native one. */
  onWarning?: (message: string) => void
}

/** Engines for evaluation. */
export interface OrtLibrary {
  createEngine(options: EngineSettings): Promise<Engine>
}

/** One turn of a conversation; parts are text and images. */
export type ChatMessage = {
  role: 'system' | 'user' | 'assistant'
  content: string | { type: string; text?: string; image?: RgbImage; path?: string }[]
}

/** What is to be continued. */
export type PromptInput = { prompt: string; images?: readonly RgbImage[] } | { messages: ChatMessage[] }

/** Reading images. */
export interface ImageLibrary {
  readImage(path: string, options: { signal?: AbortSignal }): Promise<RgbImage>
}

/** A running generation: an iteration over pieces of text, then what it came to. */
export interface Generation extends AsyncIterable<{ readonly text: string }> {
  readonly result: Promise<{
    readonly promptTokens: number
    readonly reusedTokens: number
    readonly newTokens: number
    readonly draftedTokens: number
    readonly acceptedTokens: number
    readonly finishReason: string
    readonly seconds: number
    readonly firstTokenSeconds: number
    readonly seed: number
  }>
}

/** A loaded model. */
export interface LanguageModel {
  readonly tokenizer: { readonly chatTemplate?: string }
  readonly opened: { readonly engine: Pick<Engine, 'name' | 'device' | 'threads'> }
  readonly attention: AttentionForm
  readonly accuracy: Accuracy
  /** Whether it reads images. */
  readonly sees?: boolean
  generate(input: PromptInput, options?: GenerateOptions): Generation
  [Symbol.asyncDispose](): PromiseLike<void>
}

export interface RuntimeLibrary {
  loadModel(
    model: Folder,
    options: EngineSettings & {
      accuracy?: Accuracy
      attention?: AttentionForm
      contextLength?: number
      batch?: BatchOptions
      signal?: AbortSignal
      onProgress?: (event: { readonly stage: string }) => void
    },
  ): Promise<LanguageModel>
  /** Logits after the last id, or after each with `all`; needs no tokenizer. */
  modelLogits(
    model: Folder,
    ids: readonly number[],
    options: EngineSettings & { accuracy?: Accuracy; all?: boolean; signal?: AbortSignal },
  ): Promise<Float32Array[]>
  /** Rates of decoding and prefill. */
  benchmark(model: LanguageModel, options: BenchmarkOptions): Promise<BenchmarkResult>
  /** Bytes of the weights that one token's step reads. */
  weightBytesPerToken(model: Folder, options: { device: Device }): Promise<number>
}

/** Levels of the server's log. */
export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug'

/** The HTTP server. */
export interface ServerLibrary {
  createRegistry(options: {
    models: readonly { name: string; aliases: readonly string[]; bytes: number; load: () => Promise<ServableModel> }[]
    memoryBytes: number
    onChange: (event: { type: 'loaded' | 'unloaded'; name: string; seconds: number }) => void
  }): ModelRegistry
  modelNeeds(folder: Folder, options: { contextLength?: number; batch: BatchOptions }): Promise<ModelNeeds>
  /** Whether an address to listen at is of this machine alone. */
  isLoopback(host: string): boolean
  createLogger(level: LogLevel, destination: { write(line: string): void }): Logger
  /** Refuses what `createServer` would. */
  checkServer(options: ServingOptions): Promise<void>
  createServer(
    options: ServingOptions & {
      models: ModelRegistry
      log: Logger
      collectMetrics?: (own: () => Promise<MetricValues>) => Promise<readonly MetricValues[]>
    },
  ): Promise<RunningServer>
}

/** What of a server is known before its models are. */
export interface ServingOptions {
  host: string
  port: number
  apiKeys: readonly string[]
  cors?: readonly string[]
  hosts?: readonly string[]
  imageHosts?: readonly string[]
  limits: ServerLimits
  logPrompts: boolean
  page: boolean
}

export interface EvaluateLibrary {
  evaluatePrompts(
    options: Omit<EvaluatePromptsOptions, 'model' | 'against'> & { model: Folder; against: Folder },
  ): Promise<PromptEvaluation>
  evaluate(options: {
    model: Folder
    against?: Folder
    engine: Engine
    text: string
    window?: number
    maxWindows?: number
    accuracy?: Accuracy
    signal?: AbortSignal
    onProgress?: (event: { readonly done: number; readonly total: number }) => void
    onWarning?: (message: string) => void
  }): Promise<{
    perplexity: number
    tokens: number
    windows: number
    window: number
    kl?: number
    top1?: number
    seconds: number
  }>
}

/** Tasks. */
export interface TaskLibrary {
  evaluateTask(options: EvaluateTaskOptions): Promise<TaskEvaluation>
  readonly tasks: Readonly<Record<TaskName, Pick<Task, 'data'>>>
}

/** What tasks need of the system. */
export interface TaskToolsLibrary {
  createCodeSandbox(options: CodeSandboxOptions): Promise<CodeSandbox>
  readonly openTaskFile: typeof openTaskFile
}

/** What `quantize` and `compare` share: search, storage, calibration, device. */
export interface GridOptions extends EngineSettings {
  model: Folder
  scaleStrategy?: string
  objective?: string
  smoothAlpha?: number
  keepSalient?: number
  salientBy?: 'activation' | 'weight' | 'random'
  propagate?: 'float' | 'quantized' | 'compensated'
  clipEnds?: 'together' | 'independent'
  groupSize: number
  symmetric: boolean
  headBits: TableBits
  embeddingBits: TableBits
  visionBits?: 8 | 16
  calibration?: string
  samples: number
  length: number
  seed?: number
  moeCalibrateAll?: boolean
  signal?: AbortSignal
  onProgress?: (event: ProgressEvent) => void
}

/** How a model came about, as far as it is known. */
export interface InspectedProvenance {
  readonly method: string
  readonly calibration: {
    readonly source: string
    readonly samples: number
    readonly length: number
    readonly images?: { readonly samples: number; readonly tokens: number } | undefined
  } | null
  readonly commands?: readonly string[] | undefined
  readonly evaluation?:
    | {
        readonly text: string
        readonly perplexity: number
        readonly floatPerplexity?: number | undefined
        readonly kl?: number | undefined
      }
    | undefined
}

/** What the manifest of a quantized model says of its matrices. */
export interface InspectedManifest extends InspectedProvenance {
  readonly bits: number
  readonly groupSize: number
  readonly symmetric: boolean
  readonly matrices: Readonly<
    Record<string, { readonly bits: number; readonly groupSize: number; readonly shape: readonly number[] }>
  >
}

/** The dimensions of a model. */
export interface InspectedConfig {
  readonly layers: number
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly vocabSize: number
  readonly contextLength: number
  readonly tiedEmbeddings: boolean
}

export interface Inspection {
  readonly kind: 'float' | 'quantized'
  readonly architecture: string
  readonly config: InspectedConfig
  readonly parameters: number
  readonly bytes: number
  readonly tensors: readonly InspectedTensor[]
  readonly scaleGroups: readonly { name: string; kind: string; producer: string; consumers: readonly string[] }[]
  readonly format: string
  readonly manifest?: InspectedManifest
  readonly provenance?: InspectedProvenance
  readonly files?: { readonly intact: readonly string[]; readonly damaged: readonly string[] }
}

export interface CoreLibrary {
  quantize(
    options: Omit<GridOptions, 'groupSize' | 'headBits' | 'embeddingBits'> & {
      output: string
      method: Method
      bits?: Bits
      groupSize?: number
      headBits?: TableBits
      embeddingBits?: TableBits
      targetBpw?: number
      targetBytes?: number
      resume?: boolean
      record?: boolean
      formats?: readonly string[]
      measure?: { name: string; text: string; window?: number; maxWindows?: number }
      command?: string
    },
  ): Promise<QuantizeResult>
  compare(
    options: GridOptions & {
      text: string
      methods: Method[]
      accuracy?: Accuracy
      bits: Bits[]
      window?: number
      maxWindows?: number
      onRow?: (row: CompareRow) => void
    },
  ): Promise<readonly CompareRow[]>
  inspect(
    model: Folder,
    options?: { verify?: boolean; signal?: AbortSignal; onProgress?: (event: ProgressEvent) => void },
  ): Promise<Inspection>
}

/** Checkpoint formats. */
export interface FormatsLibrary {
  readonly formats: readonly Format[]
  recogniseFormat(folder: Folder): Promise<Format | undefined>
  openPortable(folder: Folder, options: ReadOptions): Promise<PortableModel>
  damageText(model: Folder, damaged: readonly string[]): string
  checkFiles(
    folder: Folder,
    options: {
      signal?: AbortSignal
      onProgress?: (event: { readonly file: string; readonly completed: number; readonly total: number }) => void
    },
  ): Promise<void>
  checkHolds(model: PortableModel, format: string): Promise<void>
  writeModel(model: PortableModel, format: string, into: FolderWriter, options: WriteOptions): Promise<number>
}

/** Where models of other formats lie and are written to. */
export interface FormatFoldersLibrary {
  openModelFolder(reference: string, options: HubOptions & { revision?: string }): Promise<Folder>
  openFolderWriter(path: string): Promise<FolderWriter>
}

/** The page of a quantization. */
export interface ReportLibrary {
  renderReport(record: QuantizationRecord): string
}

/** The libraries behind the commands, each loaded when a command first needs it: `awq --help` loads none. */
export interface Libraries {
  readonly tensor: () => Promise<TensorLibrary>
  readonly text: () => Promise<TextLibrary>
  readonly tokenizer: () => Promise<TokenizerLibrary>
  readonly ort: () => Promise<OrtLibrary>
  readonly image: () => Promise<ImageLibrary>
  readonly runtime: () => Promise<RuntimeLibrary>
  readonly server: () => Promise<ServerLibrary>
  readonly evaluate: () => Promise<EvaluateLibrary>
  readonly tasks: () => Promise<TaskLibrary>
  readonly taskTools: () => Promise<TaskToolsLibrary>
  readonly core: () => Promise<CoreLibrary>
  readonly report: () => Promise<ReportLibrary>
  readonly formats: () => Promise<FormatsLibrary>
  readonly formatFolders: () => Promise<FormatFoldersLibrary>
}
