/**
 * Opens a folder, float checkpoint or quantized store alike, so that whoever generates or evaluates need not know which.
 * @module
 */
import {
  type ActivationType,
  type AttentionForm,
  decodedFolder,
  describeModel,
  emitDecoder,
  emitVision,
  expertTokensOn,
  type ForwardModel,
  floatForward,
  type ModelDescription,
  openFloatCheckpoint,
  readModelConfig,
  type VisionOptions,
  widenBfloat16,
} from '@awq/models'
import type { Graph } from '@awq/onnx'
import { type Engine, kernelsOf, type MixtureKernel, type Session } from '@awq/ort'
import { MANIFEST_FILE, openStore } from '@awq/quantize'
import { AwqError, type Folder } from '@awq/tensor'
import { type Accuracy, type BindingSource, blockBinding, outerBinding, visionBinding } from './bindings.ts'
import { mixesByOperator, type OperatorMixture, operatorMixtures } from './mixture-operator.ts'
import { packedForward } from './packed-forward.ts'
import { storeTable } from './store-table.ts'
import {
  type DownloadChoice,
  type FileProgress,
  locateWeights,
  openLinked,
  plainLinks,
  type WeightFiles,
  type WeightLinks,
} from './weight-links.ts'
import { checkParameters, checkpointTable, checkTable } from './weight-table.ts'

/** How a model is opened. */
export interface OpenOptions {
  /** `exact` (the default) computes in float32; `fast` lets quantized products round activations to 8 bits. */
  readonly accuracy?: Accuracy | undefined
  /**
   * Lets the device's operator QMoE compute mixtures of experts, where it can. Default true; false is expert by expert, which
   * on WebGPU computes all of them but takes half the memory for experts with zero points.
   */
  readonly mixtureOperator?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** Which decoder to load. */
export interface DecoderRequest {
  readonly attention: AttentionForm
  /** Type of activations and cache, `float32` by default; `float16` halves the cache and is for GPUs. */
  readonly dtype?: ActivationType | undefined
  /** Ids past the vocabulary stand for rows of the input `features`; for models that see. Default false. */
  readonly images?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Told of weights that are fetched for it. */
  readonly onProgress?: FileProgress | undefined
  /** Told when they are fetched and the engine takes them. */
  readonly onLoad?: (() => void) | undefined
}

/** Which graph of tower and projector to load. */
export interface VisionRequest extends VisionOptions {
  readonly signal?: AbortSignal | undefined
  /** Told of weights that are fetched for it. */
  readonly onProgress?: FileProgress | undefined
}

/** An open model. Its weights are still in their files. */
export interface OpenedModel extends AsyncDisposable {
  readonly kind: 'float' | 'quantized'
  readonly folder: Folder
  readonly engine: Engine
  readonly description: ModelDescription
  readonly accuracy: Accuracy
  /** The model as a forward pass block by block, for evaluation. Dispose it. */
  forward(): ForwardModel
  /** Tokens that one run of a decoder takes: 1 where an operator is right for no more (`MixtureKernel`), else Infinity. */
  tokensAtOnce(dtype?: ActivationType): number
  /** Loads the whole decoder with a cache, for generation. Graph: `emitDecoder` of @awq/models. Dispose it. */
  openDecoder(request: DecoderRequest): Promise<Session>
  /** The graph that `openDecoder` would load, its weights where they lie in the folder. Nothing is read. */
  decoderGraph(request: DecoderRequest): Graph
  /** The mixtures of experts that the decoder computes by one operator each; none where it does not. */
  mixtures(request: Pick<DecoderRequest, 'dtype'>): readonly OperatorMixture[]
  /** Fetches the weight files into the copy that their folder keeps, where it keeps one. */
  download(options?: DownloadChoice): Promise<void>
  /** True where the folder has what it takes to see: a checkpoint of the language model alone has not. */
  readonly sees: boolean
  /** Loads tower and projector. Graph: `emitVision` of @awq/models. Dispose it. @throws AwqError UNSUPPORTED without them */
  openVision(request?: VisionRequest): Promise<Session>
  /** The graph that `openVision` would load, its weights where they lie in the folder. Nothing is read. @throws as `openVision` */
  visionGraph(options?: VisionOptions): Graph
  dispose(): Promise<void>
}

/**
 * Opens a float checkpoint, or a quantized store when the folder has `quantization.json`. Every parameter that
 * config.json asks for is looked up, with its shape, before anything is read.
 * @throws AwqError NOT_FOUND, CONFIG, INVALID_FILE or UNSUPPORTED, naming the file or tensor
 */
export const openModel = async (folder: Folder, engine: Engine, options: OpenOptions = {}): Promise<OpenedModel> => {
  const { accuracy = 'exact', mixtureOperator = true, signal } = options
  if (accuracy !== 'exact' && accuracy !== 'fast') {
    throw new AwqError('INVALID_ARGUMENT', `accuracy must be 'exact' or 'fast', not ${JSON.stringify(accuracy)}.`)
  }
  signal?.throwIfAborted()
  const description = describeModel((await readModelConfig(folder)).json)
  const common = { folder, engine, description, accuracy, ...(mixtureOperator ? {} : { mixture: null }) }
  if (await folder.has(MANIFEST_FILE)) {
    const store = await openStore(folder, { signal })
    const table = storeTable(folder.name, store)
    return openTable({ ...common, kind: 'quantized', table, close: () => store.close() })
  }
  const opened = await openFloatCheckpoint(folder, description, { signal })
  const files = [...new Set([...opened.tensors.values()].flatMap((entry) => ('decoded' in entry ? [] : [entry.file])))]
  // An engine that opens files itself is not onnxruntime-web.
  const knowsAll = kernelsOf(engine.device).bfloat16 || engine.features.externalFiles
  const checkpoint = knowsAll ? opened : widenBfloat16(opened)
  return openTable({
    ...common,
    folder: decodedFolder(folder, checkpoint),
    stored: { folder, files },
    kind: 'float',
    table: checkpointTable(folder.name, checkpoint),
    forward: () => floatForward(engine, checkpoint, description),
    close: () => checkpoint.close(),
  })
}

const blind = (name: string, described: boolean): AwqError =>
  new AwqError(
    'UNSUPPORTED',
    described
      ? `${name} has no weights of the vision tower that its config.json describes: it reads text alone. Use the whole checkpoint.`
      : `${name} is a model that reads text alone; images need one that sees, such as SmolVLM or Qwen2.5-VL.`,
  )

/** What `openTable` makes a model of. */
export interface TableSource extends BindingSource {
  readonly kind: OpenedModel['kind']
  /** The folder that the table's files are in. */
  readonly folder: Folder
  readonly engine: Engine
  /** The files that hold the weights, where those of the table are made of them. */
  readonly stored?: { readonly folder: Folder; readonly files: readonly string[] }
  /** Another forward pass than the one over the table. */
  readonly forward?: () => ForwardModel
  /** Closes the files; called when the model is disposed, or when it can not be opened. */
  readonly close?: () => Promise<void>
}

/**
 * Opens a model over any table of parameters: the way in for formats of one's own.
 * @throws AwqError NOT_FOUND or CONFIG when the table lacks a parameter or has it in another shape
 */
export const openTable = async (given: TableSource): Promise<OpenedModel> => {
  const { narrowestCodes, slowEightBits, mixture, hostMemory, ...kernels } = kernelsOf(given.engine.device)
  const { float16 } = given.engine.features
  const tables = kernels.tables.filter((type) => type !== 'float16' || float16)
  const source = { narrowest: narrowestCodes, unpackEightBits: slowEightBits, mixture, tables, ...given }
  const { kind, folder, engine, description, accuracy, table, close = async () => {} } = source
  let files: WeightFiles
  try {
    checkTable(table, description)
    files = await locateWeights(folder, table.files, engine, source.stored)
  } catch (error) {
    await close()
    throw error
  }
  const build = (
    { attention, dtype, images }: DecoderRequest,
    links: WeightLinks,
    mixture: MixtureKernel | null | undefined,
  ): Graph => {
    const typed = { ...source, dtype, mixture }
    const binding = {
      outer: outerBinding(typed, links),
      block: (layer: number) => blockBinding(typed, links, layer),
    }
    const experts = expertTokensOn(engine.device)
    const options = { attention, dtype, wholeRows: hostMemory, experts, oneToken: mixture?.oneToken, images }
    return emitDecoder(description, binding, options)
  }
  /** The operator of mixtures: of all or of none, because with one of them the graph may take one token at a time. */
  const mixtureFor = ({ dtype }: DecoderRequest): MixtureKernel | null | undefined =>
    mixesByOperator({ ...source, dtype }, description) ? source.mixture : null
  const buildVision = (options: VisionOptions): ((links: WeightLinks) => Graph) => {
    const { vision } = description
    if (!vision?.parameters.some(({ name }) => table.has(name)))
      throw description.blindness ?? blind(folder.name, vision !== null)
    checkParameters(table, vision.parameters)
    return (links) => emitVision(vision, visionBinding({ ...source, dtype: options.dtype }, links), options)
  }
  return {
    kind,
    folder,
    engine,
    description,
    accuracy,
    forward:
      source.forward ??
      (() => packedForward(engine, source.mixture?.oneToken ? { ...source, mixture: null } : source, files)),
    tokensAtOnce: (dtype) =>
      source.mixture?.oneToken && mixesByOperator({ ...source, dtype }, description) ? 1 : Number.POSITIVE_INFINITY,
    sees: description.vision?.parameters.every(({ name }) => table.has(name)) ?? false,
    async openVision({ signal, onProgress, ...options } = {}) {
      const emit = buildVision(options)
      return openLinked(engine, files, emit, { signal, onProgress })
    },
    visionGraph: (options = {}) => buildVision(options)(plainLinks),
    openDecoder: async (request) => {
      const { signal, onProgress, onLoad } = request
      await files.download({ signal, onProgress })
      const open = (mixture: MixtureKernel | null | undefined): Promise<Session> =>
        openLinked(engine, files, (links) => build(request, links, mixture), {
          ...{ signal, onProgress, onLoad },
          largePages: true,
        })
      const mixture = mixtureFor(request)
      try {
        return await open(mixture)
      } catch (error) {
        // An older ONNX Runtime (AWQ_ORT_LIBRARY) has the operator in another form, or not at all.
        if (!mixture || !AwqError.is(error) || error.code !== 'ENGINE') throw error
        return open(null)
      }
    },
    decoderGraph: (request) => build(request, plainLinks, mixtureFor(request)),
    mixtures: ({ dtype }) => operatorMixtures({ ...source, dtype }, description),
    download: (options) => files.download(options),
    dispose: close,
    [Symbol.asyncDispose]: close,
  }
}
