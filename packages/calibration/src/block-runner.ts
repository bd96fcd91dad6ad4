/**
 * The activations of the calibration tokens on their way through the model, one block at a time.
 * @module
 */
import {
  type AttentionForm,
  arrangedAs,
  attentionFor,
  type BlockDescription,
  type BlockWeights,
  blockFeeds,
  byForm,
  type ExpertTokens,
  emitForwardBlock,
  expertTokensOn,
  forwardFeeds,
  inputBinding,
  perBlock,
  type SequenceBatch,
} from '@awq/models'
import { type Engine, type Session, type Tensor, zeros } from '@awq/ort'
import { createAccumulator } from './accumulator.ts'
import { observeStats } from './observe.ts'
import type { ActivationStats } from './stats.ts'

/** Residual streams of all calibration tokens, in batches. */
export type ActivationStream = SequenceBatch[]

/**
 * About this many tokens go through a block in one run: enough to keep the matrix products busy, few enough for what
 * lies between them to stay in the processor's cache.
 */
export const TOKENS_PER_RUN = 512

/** Sequences of a length that go through a block in one run. */
export const sequencesPerRun = (length: number): number => Math.max(1, Math.floor(TOKENS_PER_RUN / length))

/** A stream of zeros for so many sequences, in the batches that `TOKENS_PER_RUN` asks for. */
export const emptyStream = (sequences: number, length: number, hiddenSize: number): ActivationStream => {
  const perRun = sequencesPerRun(length)
  return Array.from({ length: Math.ceil(sequences / perRun) }, (_, i) =>
    zeros('float32', [Math.min(perRun, sequences - i * perRun), length, hiddenSize]),
  )
}

/** Options of {@link BlockRunner.run}. */
export interface BlockRunOptions {
  /** What error messages call the block. */
  readonly name?: string | undefined
  /** Collects the statistics of every site that linears read. */
  readonly observe: boolean
  /** Shows every token to every expert while statistics are collected; each weighs as much as another then. Default false. */
  readonly allExperts?: boolean | undefined
  /**
   * `new` (default): tensors of their own. A stream: written over its tensors, which are returned; it may be the stream
   * that is run, and a run that fails leaves it useless. `none`: no outputs are kept.
   */
  readonly outputs?: 'new' | 'none' | ActivationStream | undefined
  readonly signal?: AbortSignal | undefined
  /** Called after each batch with its output. */
  readonly onBatch?: ((done: number, output: Tensor) => void) | undefined
}

/** Runs blocks of one model over activation streams. */
export interface BlockRunner extends AsyncDisposable {
  /**
   * Runs a block over a stream.
   * @throws AwqError as {@link createAccumulator} and the engine; rejects with `signal.reason`
   */
  run(
    block: BlockDescription,
    weights: BlockWeights,
    stream: ActivationStream,
    options: BlockRunOptions,
  ): Promise<{ outputs: ActivationStream; stats: Map<string, ActivationStats> }>
}

/** What runs the blocks that are like one, in one form of attention. */
const openBlock = (engine: Engine, block: BlockDescription, attention: AttentionForm) => {
  const sessions = new Map<string, Promise<Session>>()
  return {
    feedsFor: forwardFeeds(block, attention),
    sessions,
    sessionFor(observe: boolean, experts: ExpertTokens): Promise<Session> {
      const key = `${observe} ${experts}`
      const known = sessions.get(key)
      if (known) return known
      const options = { attention, experts, observe: observe ? observeStats : undefined }
      const graph = emitForwardBlock(block, inputBinding(), options)
      const session = engine.createSession(graph.toBytes(), { planMemory: false })
      sessions.set(key, session)
      return session
    },
  }
}

/** Opens a runner. Sessions are made when first needed and serve every block of a kind: the weights are inputs. */
export const openBlockRunner = (engine: Engine): BlockRunner => {
  const inPlace = engine.features.inPlaceOutputs
  const opened: ReturnType<typeof openBlock>[] = []
  const openedFor = perBlock((block) =>
    byForm((attention) => {
      const made = openBlock(engine, block, attention)
      opened.push(made)
      return made
    }),
  )
  return {
    async run(block, weights, stream, { name, observe, allExperts = false, outputs: where = 'new', signal, onBatch }) {
      const sites = block.sites.map(({ site, width, expert }) => ({ site, width, routed: expert !== null }))
      const experts = observe && allExperts ? 'all' : expertTokensOn(engine.device)
      const parameters = blockFeeds(block, weights)
      const totalTokens = stream.reduce((sum, { shape }) => sum + shape[0]! * shape[1]!, 0)
      const accumulator = observe ? createAccumulator(sites, { name, totalTokens, inPlace }) : undefined
      const outputs: ActivationStream = []
      let scratch: Tensor | undefined
      for (const [i, hidden] of stream.entries()) {
        const [batch, length] = hidden.shape as [number, number, number]
        const step = accumulator?.step(batch * length)
        const { feedsFor, sessionFor } = openedFor(block)(attentionFor(engine.device, block, hidden))
        const session = await sessionFor(observe, experts)
        const feeds = { hidden, ...feedsFor(hidden), ...parameters, ...step?.feeds }
        if (where === 'none' && scratch?.data.length !== hidden.data.length) scratch = zeros('float32', hidden.shape)
        // The block's last sum comes after every other reader of its input, so it may be written over it.
        const target = typeof where === 'string' ? scratch : where[i]
        const results = await session.run(feeds, {
          signal,
          // What the passes work in need not lie beside what the block has worked in.
          freeMemory: i === stream.length - 1,
          into: { ...step?.into, ...(target ? { hidden_out: target } : {}) },
        })
        step?.commit(results)
        if (where !== 'none') outputs.push(arrangedAs(results.hidden_out!, hidden))
        onBatch?.(i + 1, results.hidden_out!)
      }
      return { outputs, stats: accumulator?.finish() ?? new Map() }
    },
    async [Symbol.asyncDispose]() {
      for (const { sessions } of opened) for (const session of sessions.values()) await (await session).dispose()
    },
  }
}
