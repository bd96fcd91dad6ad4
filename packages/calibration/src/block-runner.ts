/**
 * The activations of the calibration tokens on their way through the model, one block at a time.
 * @module
 */
import {
  type BlockWeights,
  blockFeeds,
  emitForwardBlock,
  forwardFeeds,
  inputBinding,
  type ModelDescription,
} from '@awq/models'
import { type Engine, type Session, type Tensor, tensor } from '@awq/ort'
import { elementCount } from '@awq/tensor'
import { createAccumulator } from './accumulator.ts'
import { observeStats } from './observe.ts'
import type { ActivationStats } from './stats.ts'

/** Residual streams of all calibration tokens, in batches: float32 `[blocks, length, hidden]` each. */
export type ActivationStream = Tensor[]

/** About this many tokens go through a block in one run: enough to keep the matrix products busy. */
export const TOKENS_PER_RUN = 4096

/** Runs blocks of one model over activation streams. */
export interface BlockRunner extends AsyncDisposable {
  /**
   * Runs a block over a stream.
   * @param name what error messages call the block
   * @param observe collects the statistics of every site that linears read
   */
  run(
    weights: BlockWeights,
    stream: ActivationStream,
    options: {
      readonly name?: string | undefined
      readonly observe: boolean
      readonly signal?: AbortSignal | undefined
      readonly onBatch?: (done: number) => void
    },
  ): Promise<{ outputs: ActivationStream; stats: Map<string, ActivationStats> }>
}

/** Opens a runner. Sessions are made when first needed and serve every block: the weights are inputs. */
export const openBlockRunner = (engine: Engine, description: ModelDescription): BlockRunner => {
  const feedsFor = forwardFeeds(description)
  const sessions = new Map<boolean, Promise<Session>>()
  const sessionFor = (observe: boolean): Promise<Session> => {
    let session = sessions.get(observe)
    if (!session) {
      const graph = emitForwardBlock(description, inputBinding(), observe ? observeStats : undefined)
      session = engine.createSession(graph.toBytes())
      sessions.set(observe, session)
    }
    return session
  }
  const sites = [...new Map(description.linears.map(({ site, shape }) => [site, { site, width: shape[1] }])).values()]
  return {
    async run(weights, stream, { name, observe, signal, onBatch }) {
      const session = await sessionFor(observe)
      const parameters = blockFeeds(description, weights)
      const totalTokens = stream.reduce((sum, { shape }) => sum + shape[0]! * shape[1]!, 0)
      const accumulator = observe
        ? createAccumulator(sites, { name, totalTokens, inPlace: engine.features.inPlaceOutputs })
        : undefined
      const outputs: ActivationStream = []
      for (const [i, hidden] of stream.entries()) {
        const [batch, length] = hidden.shape as [number, number, number]
        const step = accumulator?.step(batch * length)
        const feeds = { hidden, ...feedsFor(length), ...parameters, ...step?.feeds }
        const results = await session.run(feeds, {
          signal,
          into: step?.into,
        })
        step?.commit(results)
        outputs.push(results.hidden_out!)
        onBatch?.(i + 1)
      }
      return { outputs, stats: accumulator?.finish() ?? new Map() }
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions.values()) await (await session).dispose()
    },
  }
}

/** Puts a saved stream back into the batches of `like`. */
export const restoreStream = (values: Float32Array, like: ActivationStream): ActivationStream => {
  let offset = 0
  return like.map(({ shape }) => {
    const count = elementCount(shape)
    const data = values.slice(offset, offset + count)
    offset += count
    return tensor('float32', shape, data)
  })
}
