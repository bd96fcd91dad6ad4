/**
 * Opens a folder, float checkpoint or quantized store alike, so that whoever generates or evaluates need not know which.
 * @module
 */
import {
  type AttentionForm,
  describeModel,
  emitDecoder,
  type ForwardModel,
  floatForward,
  type ModelDescription,
} from '@awq/models'
import type { Engine, Session } from '@awq/ort'
import { MANIFEST_FILE, openStore } from '@awq/quantize'
import { AwqError, type Folder, openCheckpoint } from '@awq/tensor'
import { type Accuracy, type BindingSource, blockBinding, outerBinding } from './bindings.ts'
import { packedForward } from './packed-forward.ts'
import { storeTable } from './store-table.ts'
import { locateWeights, type WeightFiles } from './weight-links.ts'
import { checkpointTable, checkTable } from './weight-table.ts'

/** How a model is opened. */
export interface OpenOptions {
  /** `exact` (the default) computes in float32; `fast` lets quantized products round activations to 8 bits. */
  readonly accuracy?: Accuracy | undefined
  readonly signal?: AbortSignal | undefined
}

/** Which decoder to load. */
export interface DecoderRequest {
  readonly attention: AttentionForm
  /** Logits of the last position or of all. */
  readonly logits: 'last' | 'all'
  readonly signal?: AbortSignal | undefined
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
  /** Loads the whole decoder with a cache, for generation. Graph: `emitDecoder` of @awq/models. Dispose it. */
  openDecoder(request: DecoderRequest): Promise<Session>
  dispose(): Promise<void>
}

/**
 * Opens a float checkpoint, or a quantized store when the folder has `quantization.json`. Every parameter that
 * config.json asks for is looked up, with its shape, before anything is read.
 * @throws AwqError NOT_FOUND, CONFIG, INVALID_FILE or UNSUPPORTED, naming the file or tensor
 */
export const openModel = async (folder: Folder, engine: Engine, options: OpenOptions = {}): Promise<OpenedModel> => {
  const { accuracy = 'exact', signal } = options
  if (accuracy !== 'exact' && accuracy !== 'fast') {
    throw new AwqError('INVALID_ARGUMENT', `accuracy must be 'exact' or 'fast', not ${JSON.stringify(accuracy)}.`)
  }
  signal?.throwIfAborted()
  const description = await readDescription(folder)
  const stop = { signal }
  return (await folder.has(MANIFEST_FILE))
    ? openQuantized(folder, engine, description, accuracy, stop)
    : openFloat(folder, engine, description, accuracy, stop)
}

const readDescription = async (folder: Folder): Promise<ModelDescription> => {
  if (!(await folder.has('config.json'))) {
    throw new AwqError(
      'NOT_FOUND',
      `${folder.name} has no config.json; a model is a folder with config.json, tokenizer.json and *.safetensors.`,
    )
  }
  const text = await folder.readText('config.json', { maxBytes: 16 * 2 ** 20 })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new AwqError('INVALID_FILE', `${folder.name}/config.json is not JSON: ${(cause as Error).message}`, { cause })
  }
  return describeModel(json)
}

const openQuantized = async (
  folder: Folder,
  engine: Engine,
  description: ModelDescription,
  accuracy: Accuracy,
  stop: { signal?: AbortSignal | undefined },
): Promise<OpenedModel> => {
  const store = await openStore(folder, stop)
  const close = async () => {
    await store.close()
  }
  return openTable({
    kind: 'quantized',
    folder,
    engine,
    description,
    accuracy,
    table: storeTable(folder.name, store),
    close,
  })
}

const openFloat = async (
  folder: Folder,
  engine: Engine,
  description: ModelDescription,
  accuracy: Accuracy,
  stop: { signal?: AbortSignal | undefined },
): Promise<OpenedModel> => {
  const checkpoint = await openCheckpoint(folder, stop)
  return openTable({
    kind: 'float',
    folder,
    engine,
    description,
    accuracy,
    table: checkpointTable(folder.name, checkpoint),
    forward: () => floatForward(engine, checkpoint, description),
    close: () => checkpoint.close(),
  })
}

/** What `openTable` makes a model of. */
export interface TableSource extends BindingSource {
  readonly kind: OpenedModel['kind']
  /** The folder that the table's files are in. */
  readonly folder: Folder
  readonly engine: Engine
  /** Another forward pass than the one over the table. */
  readonly forward?: () => ForwardModel
  /** Closes the files; called when the model is disposed, or when it can not be opened. */
  readonly close?: () => Promise<void>
}

/**
 * Opens a model over any table of parameters: the way in for formats of one's own.
 * @throws AwqError NOT_FOUND or CONFIG when the table lacks a parameter or has it in another shape
 */
export const openTable = async (source: TableSource): Promise<OpenedModel> => {
  const { kind, folder, engine, description, accuracy, table, close = async () => {} } = source
  let files: WeightFiles
  try {
    checkTable(table, description)
    files = await locateWeights(folder, table.files, engine)
  } catch (error) {
    await close()
    throw error
  }
  return {
    kind,
    folder,
    engine,
    description,
    accuracy,
    forward: source.forward ?? (() => packedForward(engine, source, files)),
    openDecoder: (request) => loadDecoder(engine, source, files, request),
    dispose: close,
    [Symbol.asyncDispose]: close,
  }
}

const loadDecoder = async (
  engine: Engine,
  source: BindingSource,
  files: WeightFiles,
  { attention, logits, signal }: DecoderRequest,
): Promise<Session> => {
  const links = files.links()
  const graph = emitDecoder(
    source.description,
    { outer: outerBinding(source, links), block: (layer) => blockBinding(source, links, layer) },
    { attention, logits },
  )
  const stop = { signal }
  return engine.createSession(graph.toBytes(), { ...(await links.sessionOptions(stop)), ...stop })
}
