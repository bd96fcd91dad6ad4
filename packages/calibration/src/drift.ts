/**
 * How far a model whose blocks are quantized so far has drifted from the float one, at the input of some linears: what it
 * takes to choose weights that make up for it.
 * @module
 */
import {
  arrangedAs,
  attentionFor,
  type BlockDescription,
  type BlockWeights,
  blockFeeds,
  emitSegment,
  expertTokensOn,
  forwardFeeds,
  inputBinding,
  outputName,
  type SequenceBatch,
  sitePlace,
} from '@awq/models'
import type { Graph, Value } from '@awq/onnx'
import { cachedSession, type Engine, type Session, type Tensor, tensor, zeros } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import { type DriftMeans, emitDriftSums, emptyDriftSums } from './drift-sums.ts'

/**
 * Drift at one site. With q its value in the quantized model and t what its linears are asked for, means of q q^T and q t^T. For
 * linears that are added to the residual stream, t is what their output should be: the float stream after the sum less the
 * quantized values that they are added to. For others, and for a branch that runs parallel to one that comes after it, t is
 * the site's float value.
 */
export interface Drift {
  readonly width: number
  /** Over every other batch of the inputs, and over the rest, which is absent for a single batch. */
  readonly halves: readonly DriftMeans[]
  readonly targets: number
  /** Which of the two t is. */
  readonly residual: boolean
}

/** Two versions of a block that {@link openDrift} compares. */
export interface DriftProblem {
  readonly block: BlockDescription
  /** Parameters of the float block. */
  readonly weights: BlockWeights
  /** Block inputs of the float model and of the quantized one, the same sequences. */
  readonly inputs: readonly SequenceBatch[]
  readonly quantizedInputs: readonly SequenceBatch[]
  /** What error messages call the block. */
  readonly name?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** Walks the float block and the quantized one side by side, from site to site. */
export interface DriftWalk {
  /**
   * Goes on to a site: in the quantized block with `quantized`, whose linears before the site are rounded.
   * @param bias of the site's linear, when it has one and is added to the residual stream
   * @throws AwqError `INVALID_ARGUMENT` for a site that no linear reads or that lies behind, `NUMERIC` naming the block and
   *   site for activations that are not finite; rejects with `signal.reason`
   */
  measure(site: string, quantized: BlockWeights, bias?: Float32Array): Promise<Drift>
  /** Goes on to the end of the quantized block: its outputs. */
  finish(quantized: BlockWeights): Promise<SequenceBatch[]>
}

type Values = ReadonlyMap<string, Tensor>

/** Where a walk through a block stands: the steps done, and for each batch the values that later steps need. */
interface Place {
  readonly at: number
  readonly values: readonly Values[]
  readonly axes: ReadonlyMap<string, readonly number[]>
}

/** What a segment's graph does beside its steps. */
interface Extra {
  readonly key: string
  readonly emit: (graph: Graph, read: (name: string) => Value) => void
  readonly feeds: (batch: number) => Readonly<Record<string, Tensor>>
  readonly into: (batch: number) => Readonly<Record<string, Tensor>>
}

/**
 * Begins a walk. The inputs are not changed. Memory: the values that the walks stand at, for all tokens.
 * @throws AwqError `INVALID_ARGUMENT` without inputs
 */
export const openDrift = (engine: Engine, problem: DriftProblem): DriftWalk => {
  const { block, inputs, quantizedInputs, signal, name = 'block' } = problem
  if (inputs.length === 0 || inputs.length !== quantizedInputs.length)
    throw new AwqError('INVALID_ARGUMENT', `${name}: no inputs of the float and the quantized model to compare`)
  const { hiddenSize } = block.config
  // One form for all: segments of one walk are cut from the same graph.
  const attention = inputs.some(({ arrangement }) => arrangement?.groups?.length)
    ? 'plain'
    : attentionFor(engine.device, block, inputs[0]!)
  const feedsFor = forwardFeeds(block, attention)
  const given = new Set([...inputs, ...quantizedInputs])
  const start = (stream: readonly Tensor[]): Place => ({
    at: 0,
    values: stream.map((hidden) => new Map([['hidden', hidden]])),
    axes: new Map([['hidden', [hiddenSize]]]),
  })

  /** Runs the steps from a place on to another. */
  const advance = async (place: Place, to: number, weights: BlockWeights, extra?: Extra): Promise<Place> => {
    const segment = { from: place.at, to, inputs: place.axes }
    const emitted = emitSegment(block, segment, inputBinding(), attention, expertTokensOn(engine.device), extra?.emit)
    const key = `segment ${block.key} ${place.at} ${to} ${attention} ${extra?.key}`
    const session = await cachedSession(engine, key, () => emitted.graph.toBytes())
    const parameters = blockFeeds(block, weights)
    const values: Values[] = []
    for (const [index, before] of place.values.entries()) {
      const [batch, length] = [...before.values()][0]!.shape as [number, number]
      const after = new Map(emitted.kept.map((name) => [name, before.get(name)!]))
      for (const [name, axes] of emitted.outputs) {
        // The last reader of a value that is made anew makes it: it may be written over, unless it is the caller's.
        const old = before.get(name)
        after.set(name, old && !given.has(old) ? old : zeros('float32', [batch, length, ...axes]))
      }
      const feeds = {
        ...Object.fromEntries(before),
        ...feedsFor(inputs[index]!),
        ...parameters,
        ...extra?.feeds(index),
      }
      const outputs = [...emitted.outputs.keys()].map((name) => [outputName(name), after.get(name)!] as const)
      await session.run(taken(session, feeds), {
        signal,
        freeMemory: index === place.values.length - 1,
        into: { ...Object.fromEntries(outputs), ...extra?.into(index) },
      })
      values.push(after)
    }
    const axes = new Map([...emitted.kept.map((name) => [name, place.axes.get(name)!] as const), ...emitted.outputs])
    return { at: to, values, axes }
  }

  let float = start(inputs)
  let quantizedPlace = start(quantizedInputs)
  return {
    async measure(site, quantized, bias) {
      const { before, sum } = sitePlace(block, site)
      const where = `${name}, ${site}`
      if (before < quantizedPlace.at)
        throw new AwqError('INVALID_ARGUMENT', `${where} lies behind what was measured already`)
      const wanted = sum?.end ?? before
      // A parallel branch may have been passed on the way to a sum.
      if (wanted < float.at) float = start(inputs)
      float = await advance(float, wanted, problem.weights)
      const targetName = sum?.to ?? site
      const { width } = block.sites.find((other) => other.site === site)!
      const targets = sum ? hiddenSize : width
      const sums = inputs.slice(0, 2).map(() => emptyDriftSums(width, targets))
      // Only what is added to the stream is compared after the linears: elsewhere their biases play no part.
      const offset = sum && tensor('float32', [targets], bias ?? new Float32Array(targets))
      quantizedPlace = await advance(quantizedPlace, before, quantized, {
        key: site,
        emit(graph, read) {
          const target = graph.input('target', 'float32', ['batch', 'sequence', targets])
          const rest = sum?.residuals.reduce((rest, of) => graph.add('Sub', [rest, read(of)]), target)
          const output = rest && graph.add('Sub', [rest, graph.input('offset', 'float32', [targets])])
          emitDriftSums(graph, read(site), output ?? target)
        },
        feeds: (index) => ({
          target: float.values[index]!.get(targetName)!,
          ...(offset ? { offset } : {}),
          ...sums[index % 2]!.feeds,
        }),
        into: (index) => sums[index % 2]!.into,
      })
      const halves = sums.map((half, parity) =>
        half.means(tokensOf(inputs.filter((_, index) => index % 2 === parity)), where),
      )
      return { width, targets, residual: sum !== undefined, halves }
    },
    async finish(quantized) {
      quantizedPlace = await advance(quantizedPlace, block.steps.length, quantized)
      return quantizedPlace.values.map((values, index) => arrangedAs(values.get('hidden')!, inputs[index]!))
    },
  }
}

const tokensOf = (stream: readonly Tensor[]): number =>
  stream.reduce((count, { shape }) => count + shape[0]! * shape[1]!, 0)

/** The feeds that a session has inputs for: part of a block does not read all of its parameters. */
const taken = (session: Session, feeds: Readonly<Record<string, Tensor>>): Record<string, Tensor> =>
  Object.fromEntries(session.inputNames.map((name) => [name, feeds[name]!]))
