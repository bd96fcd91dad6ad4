/**
 * A forward pass block by block: the whole model is never in memory, only the block at hand and the residual streams
 * of the tokens. Calibration and evaluation run on this.
 * @module
 */
import { Graph, type Value } from '@awq/onnx'
import { type Engine, type Session, type Tensor, tensor } from '@awq/ort'
import { AwqError, type Checkpoint } from '@awq/tensor'
import type { AttentionForm } from './attention.ts'
import type { BlockBinding, OuterBinding } from './binding.ts'
import type { ModelDescription } from './describe.ts'
import type { BlockDescription } from './describe-block.ts'
import { embedTokens } from './embed.ts'
import { emitBlock } from './emit-block.ts'
import { type ExpertTokens, expertTokensOn, type RoutedTokens } from './emit-experts.ts'
import { emitHead } from './emit-outer.ts'
import {
  blockFeeds,
  checkParameters,
  inputBinding,
  outerFeeds,
  outerInputs,
  readBlockWeights,
  readParameter,
} from './float-weights.ts'
import { emitResidual } from './norm.ts'
import { declareSequence } from './sequence.ts'
import { arrangedAs, attentionFor, forwardFeeds, type SequenceBatch } from './sequence-batch.ts'

/** One block, ready to run. */
export interface ForwardBlock extends AsyncDisposable {
  /** Residual stream in, residual stream out. */
  run(hidden: SequenceBatch, options?: { readonly signal?: AbortSignal | undefined }): Promise<SequenceBatch>
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

/** How a block without a cache is emitted. */
export interface ForwardBlockOptions {
  /** Called for each value that linears read, to add outputs of its own. */
  readonly observe?: ((graph: Graph, site: string, value: Value, routed?: RoutedTokens) => void) | undefined
  /** Which tokens experts compute; default those routed to them. */
  readonly experts?: ExpertTokens | undefined
  /** Default `plain`, which every provider computes. */
  readonly attention?: AttentionForm | undefined
}

/**
 * The graph of one block without a cache. Inputs: `hidden` float32 `[batch, sequence, hidden]`, those of
 * `declareSequence`, and the binding's. Output: `hidden_out`.
 */
export const emitForwardBlock = (
  block: BlockDescription,
  binding: BlockBinding,
  { observe, attention = 'plain', experts }: ForwardBlockOptions = {},
): Graph => {
  const { config } = block
  const graph = new Graph(`${config.modelType}-block`)
  const hidden = graph.input('hidden', 'float32', ['batch', 'sequence', config.hiddenSize])
  const sequence = declareSequence(graph, block, attention)
  const emitted = emitBlock(graph, block, {
    hidden,
    binding,
    attention,
    sequence,
    experts,
    observe: observe && ((site, value, routed) => observe(graph, site, value, routed)),
  })
  graph.output('hidden_out', emitResidual(graph, emitted.hidden))
  return graph
}

/** A session and feeds for each distinct block, made when first asked for. */
export const perBlock = <T>(make: (block: BlockDescription) => T): ((block: BlockDescription) => T) => {
  const made = new Map<BlockDescription, T>()
  return (block) => {
    const value = made.get(block) ?? make(block)
    made.set(block, value)
    return value
  }
}

/** What is made for a form of attention, when it is first asked for. */
export const byForm = <T>(make: (attention: AttentionForm) => T): ((attention: AttentionForm) => T) => {
  const made = new Map<AttentionForm, T>()
  return (attention) => {
    const value = made.get(attention) ?? make(attention)
    made.set(attention, value)
    return value
  }
}

/**
 * A float checkpoint, as `openFloatCheckpoint` opens it, as a `ForwardModel`: weights are read when their block is opened.
 * @throws AwqError as `checkParameters` when its tensors are not those of the description
 */
export const floatForward = (engine: Engine, checkpoint: Checkpoint, description: ModelDescription): ForwardModel => {
  checkParameters(checkpoint, description)
  const { config } = description
  const sessions: Promise<Session>[] = []
  const openForm = (block: BlockDescription, attention: AttentionForm) => {
    const experts = expertTokensOn(engine.device)
    const session = engine.createSession(emitForwardBlock(block, inputBinding(), { attention, experts }).toBytes())
    sessions.push(session)
    return { session, feedsFor: forwardFeeds(block, attention) }
  }
  const formsOf = perBlock((block) => byForm((attention) => openForm(block, attention)))
  return {
    description,
    engine,
    embed: (ids, batch) => embedTokens(engine, checkpoint, description, ids, batch),
    async openBlock(layer, options = {}) {
      const block = description.blocks[layer]!
      const weights = blockFeeds(block, await readBlockWeights(checkpoint, description, layer, options))
      return {
        async run(hidden, runOptions) {
          const { session, feedsFor } = formsOf(block)(attentionFor(engine.device, block, hidden))
          const results = await (await session).run({ hidden, ...feedsFor(hidden), ...weights }, runOptions)
          return arrangedAs(results.hidden_out!, hidden)
        },
        [Symbol.asyncDispose]: async () => {},
      }
    },
    async openOuter(build) {
      const shape = [config.vocabSize, config.embeddingSize]
      const head = await readParameter(checkpoint, { name: description.head, shape })
      return {
        session: await engine.createSession(build(outerInputs(description)).toBytes()),
        feeds: { ...(await outerFeeds(checkpoint, description)), 'head.weight': tensor('float32', shape, head) },
      }
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions) await (await session).dispose()
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
