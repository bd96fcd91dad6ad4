/**
 * A forward pass block by block: the whole model is never in memory, only the block at hand and the residual streams
 * of the tokens. Calibration and evaluation run on this.
 * @module
 */
import { Graph, type Value } from '@awq/onnx'
import type { Engine, Session, Tensor } from '@awq/ort'
import { tensor, zeros } from '@awq/ort'
import { AwqError, type Checkpoint, readFloat32 } from '@awq/tensor'
import type { AttentionForm } from './attention.ts'
import type { BlockBinding, OuterBinding } from './binding.ts'
import type { ModelDescription } from './describe.ts'
import { emitBlock } from './emit-block.ts'
import { emitHead } from './emit-decoder.ts'
import {
  blockFeeds,
  checkParameters,
  emitLinear,
  findParameter,
  inputBinding,
  readBlockWeights,
} from './float-weights.ts'
import { emitResidual } from './norm.ts'
import { declareSequence, ropeFeeds, sequenceFeeds } from './sequence.ts'

/** One block, ready to run. */
export interface ForwardBlock extends AsyncDisposable {
  /** Residual stream in, residual stream out: float32 `[batch, sequence, hidden]`, positions from 0. */
  run(hidden: Tensor, options?: { readonly signal?: AbortSignal | undefined }): Promise<Tensor>
}

/** A model that runs block by block, whatever its weights are. */
export interface ForwardModel extends AsyncDisposable {
  readonly description: ModelDescription
  readonly engine: Engine
  /**
   * Embeds token ids.
   * @param ids `batch * length` ids, row-major
   * @returns float32 `[batch, length, hidden]`
   * @throws AwqError `INVALID_ARGUMENT` for an id outside the vocabulary
   */
  embed(ids: Int32Array, batch: number): Promise<Tensor>
  openBlock(layer: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<ForwardBlock>
  /** Opens a graph that ends in the head: the caller builds it with `binding`, `feeds` go with every run. */
  openOuter(build: (binding: OuterBinding) => Graph): Promise<{ session: Session; feeds: Record<string, Tensor> }>
}

/** Checks ids against the vocabulary. */
export const checkIds = (ids: ArrayLike<number>, vocabSize: number): void => {
  for (let i = 0; i < ids.length; i++)
    if (!(Number.isInteger(ids[i]) && ids[i]! >= 0 && ids[i]! < vocabSize))
      throw new AwqError('INVALID_ARGUMENT', `token id ${ids[i]} is outside the vocabulary of ${vocabSize} tokens`)
}

/** How a block without a cache is emitted. */
export interface ForwardBlockOptions {
  /** Called for each value that linears read, to add outputs of its own. */
  readonly observe?: ((graph: Graph, site: string, value: Value) => void) | undefined
  /** Default `plain`, which every provider computes. */
  readonly attention?: AttentionForm | undefined
}

/**
 * The graph of one block without a cache. Inputs: `hidden` float32 `[batch, sequence, hidden]`, those of
 * `declareSequence`, and the binding's. Output: `hidden_out`.
 */
export const emitForwardBlock = (
  description: ModelDescription,
  binding: BlockBinding,
  { observe, attention = 'plain' }: ForwardBlockOptions = {},
): Graph => {
  const graph = new Graph(`${description.config.modelType}-block`)
  const hidden = graph.input('hidden', 'float32', ['batch', 'sequence', description.config.hiddenSize])
  const sequence = declareSequence(graph, description.config, attention)
  const block = emitBlock(graph, description, {
    hidden,
    binding,
    attention,
    sequence,
    ...(observe ? { observe: (site: string, value: Value) => observe(graph, site, value) } : {}),
  })
  graph.output('hidden_out', emitResidual(graph, block.hidden))
  return graph
}

/** Rotary tables, and mask or lengths, for batches of sequences of one length; those of the last call are kept. */
export const forwardFeeds = (
  { config }: ModelDescription,
  attention: AttentionForm = 'plain',
): ((length: number, batch?: number) => Record<string, Tensor>) => {
  let last: { readonly length: number; readonly batch: number; readonly feeds: Record<string, Tensor> } | undefined
  return (length, batch = 1) => {
    if (last?.length !== length || (last.batch !== batch && attention === 'fused')) {
      const positions = { past: 0, length, capacity: 0 }
      const feeds = { ...ropeFeeds(config, attention, length), ...sequenceFeeds(config, attention, positions, batch) }
      last = { length, batch, feeds }
    }
    return last.feeds
  }
}

/**
 * Embeds token ids into tensors that are there: float32 `[..., hidden]`, filled one after the other. Every row of the
 * table is read once, whatever the number of tokens, and rows that lie together are read together.
 * @throws AwqError `INVALID_ARGUMENT` for an id outside the vocabulary
 */
export const embedInto = async (
  checkpoint: Checkpoint,
  { config, embedding }: ModelDescription,
  ids: Int32Array,
  targets: readonly Tensor[],
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> => {
  checkIds(ids, config.vocabSize)
  const width = config.hiddenSize
  const table = findParameter(checkpoint, { name: embedding, shape: [config.vocabSize, width] })
  const ends: number[] = []
  for (const { data } of targets) ends.push((ends.at(-1) ?? 0) + data.length / width)
  const write = (position: number, row: Float32Array): void => {
    const at = ends.findIndex((end) => position < end)
    ;(targets[at]!.data as Float32Array).set(row, (position - (ends[at - 1] ?? 0)) * width)
  }
  const order = Uint32Array.from(ids.keys()).sort((a, b) => ids[a]! - ids[b]!)
  for (let first = 0; first < order.length; ) {
    options.signal?.throwIfAborted()
    const start = ids[order[first]!]!
    let next = first + 1
    let last = start
    // Reading a few rows in vain is cheaper than another request.
    for (; next < order.length; next++) {
      const id = ids[order[next]!]!
      if (id - last > 4 || id - start >= ROWS_PER_READ) break
      last = id
    }
    const rows = await readFloat32(table, { rows: [start, last + 1], signal: options.signal })
    for (; first < next; first++) {
      const offset = (ids[order[first]!]! - start) * width
      write(order[first]!, rows.subarray(offset, offset + width))
    }
  }
}

/** Rows of an embedding table that are read at once, at most. */
const ROWS_PER_READ = 1024

/**
 * Embeds token ids of a float checkpoint: the rows of its embedding table.
 * @param ids `batch * length` ids, row-major
 * @returns float32 `[batch, length, hidden]`
 * @throws AwqError `INVALID_ARGUMENT` for an id outside the vocabulary
 */
export const embedTokens = async (
  checkpoint: Checkpoint,
  description: ModelDescription,
  ids: Int32Array,
  batch: number,
): Promise<Tensor> => {
  const embedded = zeros('float32', [batch, ids.length / batch, description.config.hiddenSize])
  await embedInto(checkpoint, description, ids, [embedded])
  return embedded
}

/** Binds the final norm and the head as float32 inputs. Embedding happens outside the graph. */
const outerInputs = ({ config }: ModelDescription): OuterBinding => ({
  embed: () => {
    throw new AwqError('UNSUPPORTED', 'a float model embeds its tokens outside the graph: use ForwardModel.embed')
  },
  finalNorm: (graph) => graph.input('final_norm.weight', 'float32', [config.hiddenSize]),
  head: (graph, hidden) =>
    emitLinear(graph, hidden, graph.input('head.weight', 'float32', [config.vocabSize, config.hiddenSize]), undefined),
})

/**
 * A float checkpoint as a `ForwardModel`: weights are read when their block is opened.
 * @throws AwqError `NOT_FOUND` or `CONFIG` when the checkpoint does not have the parameters that config.json asks for
 */
export const floatForward = (engine: Engine, checkpoint: Checkpoint, description: ModelDescription): ForwardModel => {
  checkParameters(checkpoint, description)
  const { config } = description
  const feedsFor = forwardFeeds(description)
  let session: Promise<Session> | undefined
  return {
    description,
    engine,
    embed: (ids, batch) => embedTokens(checkpoint, description, ids, batch),
    async openBlock(layer, options = {}) {
      session ??= engine.createSession(emitForwardBlock(description, inputBinding()).toBytes())
      const weights = blockFeeds(description, await readBlockWeights(checkpoint, description, layer, options))
      const opened = await session
      return {
        async run(hidden, runOptions) {
          const feeds = { hidden, ...feedsFor(hidden.shape[1]!), ...weights }
          return (await opened.run(feeds, runOptions)).hidden_out!
        },
        [Symbol.asyncDispose]: async () => {},
      }
    },
    async openOuter(build) {
      const [norm, head] = [description.finalNorm, description.head].map((name) =>
        findParameter(checkpoint, {
          name,
          shape: name === description.finalNorm ? [config.hiddenSize] : [config.vocabSize, config.hiddenSize],
        }),
      )
      return {
        session: await engine.createSession(build(outerInputs(description)).toBytes()),
        feeds: {
          'final_norm.weight': tensor('float32', [config.hiddenSize], await readFloat32(norm!)),
          'head.weight': tensor('float32', [config.vocabSize, config.hiddenSize], await readFloat32(head!)),
        },
      }
    },
    async [Symbol.asyncDispose]() {
      await (await session)?.dispose()
    },
  }
}

/**
 * Logits of a sequence, computed block by block.
 * @param ids the tokens of one sequence
 * @returns float32 `[length, vocab]`, or `[1, vocab]` of the last position when `all` is false
 */
export const forwardLogits = async (
  model: ForwardModel,
  ids: Int32Array,
  options: { readonly all?: boolean; readonly signal?: AbortSignal | undefined } = {},
): Promise<Tensor> => {
  const { config } = model.description
  if (ids.length === 0) throw new AwqError('INVALID_ARGUMENT', 'logits need at least one token id')
  if (ids.length > config.contextLength)
    throw new AwqError(
      'INVALID_ARGUMENT',
      `${ids.length} tokens are more than the model's context of ${config.contextLength}`,
    )
  const runOptions = { signal: options.signal }
  let hidden = await model.embed(ids, 1)
  for (let layer = 0; layer < config.layers; layer++) {
    await using block = await model.openBlock(layer, runOptions)
    hidden = await block.run(hidden, runOptions)
  }
  const rows = options.all ? ids.length : 1
  const wanted = (hidden.data as Float32Array).subarray((ids.length - rows) * config.hiddenSize)
  const { session, feeds } = await model.openOuter((binding) => emitLogits(model.description, binding))
  await using head = session
  const { logits } = await head.run(
    { ...feeds, hidden: tensor('float32', [1, rows, config.hiddenSize], wanted) },
    runOptions,
  )
  return tensor('float32', [rows, config.vocabSize], logits!.data)
}

const emitLogits = (description: ModelDescription, binding: OuterBinding): Graph => {
  const graph = new Graph(`${description.config.modelType}-head`)
  const hidden = graph.input('hidden', 'float32', ['batch', 'sequence', description.config.hiddenSize])
  graph.output('logits', emitHead(graph, description, binding, hidden))
  return graph
}
