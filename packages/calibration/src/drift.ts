/**
 * How far a model whose blocks are quantized so far has drifted from the float one, at the input of some linears: what it
 * takes to choose weights that make up for it.
 * @module
 */
import {
  addsToResidual,
  type BlockWeights,
  blockFeeds,
  emitSiteInput,
  emitSiteTarget,
  forwardFeeds,
  inputBinding,
  type ModelDescription,
} from '@awq/models'
import { Graph, reshape, type Value } from '@awq/onnx'
import { cachedSession, type Engine, type Session, type Tensor, tensor, zeros } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import { attentionOf } from './block-runner.ts'

/** Drift at one site. With q its value in the quantized model, means over tokens: */
export interface Drift {
  readonly width: number
  /** [width, width]: mean of q q^T. */
  readonly gram: Float32Array
  /**
   * [width, targets]: mean of q t^T. For linears that are added to the residual stream, t is what their output should be:
   * the float stream after the sum less the quantized one before it. For others t is the site's float value.
   */
  readonly cross: Float32Array
  readonly targets: number
  /** Which of the two t is. */
  readonly residual: boolean
}

/** What {@link measureDrift} compares. */
export interface DriftProblem {
  readonly description: ModelDescription
  readonly site: string
  /** Parameters of the float block, and of the block as far as it is quantized. */
  readonly weights: BlockWeights
  readonly quantized: BlockWeights
  /** Block inputs of the float model and of the quantized one, the same sequences: float32 `[batch, length, hidden]`. */
  readonly inputs: readonly Tensor[]
  readonly quantizedInputs: readonly Tensor[]
  /** Of the site's linear, when it has one and is added to the residual stream. */
  readonly bias?: Float32Array | undefined
  /** What error messages call the block. */
  readonly name?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Runs the start of both blocks over both inputs, and sums up what {@link Drift} says.
 * @throws AwqError `INVALID_ARGUMENT` without inputs, `NUMERIC` naming the block and site for activations that are not
 *   finite; rejects with `signal.reason`
 */
export const measureDrift = async (engine: Engine, problem: DriftProblem): Promise<Drift> => {
  const { description, site, weights, quantized, inputs, quantizedInputs, signal } = problem
  const where = `${problem.name ?? 'block'}, ${site}`
  if (inputs.length === 0 || inputs.length !== quantizedInputs.length)
    throw new AwqError('INVALID_ARGUMENT', `${where}: no inputs of the float and the quantized model to compare`)
  const { hiddenSize } = description.config
  const residual = addsToResidual(description, site)
  const width = description.linears.find((linear) => linear.site === site)!.shape[1]
  const targets = residual ? hiddenSize : width
  const attention = attentionOf(engine, description)
  const key = `drift ${JSON.stringify(description.config)} ${site}`
  const [float, own, sums] = await Promise.all([
    cachedSession(engine, `${key} target`, () =>
      emitSiteTarget(description, site, inputBinding(), attention).toBytes(),
    ),
    cachedSession(engine, `${key} input`, () => emitSiteInput(description, site, inputBinding(), attention).toBytes()),
    cachedSession(engine, `drift sums ${width} ${targets} ${residual}`, () =>
      sumsGraph(width, targets, residual).toBytes(),
    ),
  ])
  const feedsFor = forwardFeeds(description, attention)
  const empty = () => ({
    'gram.next': zeros('float32', [width, width]),
    'cross.next': zeros('float32', [width, targets]),
  })
  let [now, spare] = [empty(), empty()]
  let tokens = 0
  const offset = tensor('float32', [targets], problem.bias ?? new Float32Array(targets))
  const floatWeights = blockFeeds(description, weights)
  const ownWeights = blockFeeds(description, quantized)
  // Written over by every run: sequences are mostly of one length.
  let values: Record<'target' | 'site' | 'residual', Tensor> | undefined
  for (const [index, hidden] of inputs.entries()) {
    const [batch, length] = hidden.shape as [number, number, number]
    const positions = feedsFor(length, batch)
    if (values?.site.shape[0] !== batch || values.site.shape[1] !== length)
      values = {
        target: zeros('float32', [batch, length, targets]),
        site: zeros('float32', [batch, length, width]),
        residual: zeros('float32', residual ? [batch, length, targets] : [0]),
      }
    const { target, site: read, residual: before } = values
    await float.run(taken(float, { hidden, ...positions, ...floatWeights }), { signal, into: { target } })
    const moved = quantizedInputs[index]!
    await own.run(taken(own, { hidden: moved, ...positions, ...ownWeights }), {
      signal,
      into: { site: read, ...(residual ? { residual: before } : {}) },
    })
    const feeds = {
      q: read,
      target,
      gram: now['gram.next'],
      cross: now['cross.next'],
      ...(residual ? { residual: before, offset } : {}),
    }
    const next = await sums.run(feeds, { signal, into: spare })
    ;[now, spare] = [{ 'gram.next': next['gram.next']!, 'cross.next': next['cross.next']! }, now]
    tokens += batch * length
  }
  const mean = ({ data }: Tensor): Float32Array => {
    const values = data as Float32Array
    let notFinite = 0
    for (let at = 0; at < values.length; at++) {
      const value = values[at]! / tokens
      notFinite += value - value
      values[at] = value
    }
    if (notFinite !== 0) throw new AwqError('NUMERIC', `${where}: an activation is NaN or infinite`)
    return values
  }
  return { width, gram: mean(now['gram.next']), cross: mean(now['cross.next']), targets, residual }
}

/** The feeds that a session has inputs for: the start of a block does not read all of its parameters. */
const taken = (session: Session, feeds: Readonly<Record<string, Tensor>>): Record<string, Tensor> =>
  Object.fromEntries(session.inputNames.map((name) => [name, feeds[name]!]))

/** `gram` + Q^T Q and `cross` + Q^T T, for Q the rows of `q` and T those of `target`, less `residual` and `offset`. */
const sumsGraph = (width: number, targets: number, residual: boolean): Graph => {
  const graph = new Graph('drift-sums')
  const q = graph.input('q', 'float32', ['batch', 'sequence', width])
  const target = graph.input('target', 'float32', ['batch', 'sequence', targets])
  const wanted = residual
    ? graph.add('Sub', [
        graph.add('Sub', [target, graph.input('residual', 'float32', ['batch', 'sequence', targets])]),
        graph.input('offset', 'float32', [targets]),
      ])
    : target
  const rows = reshape(graph, q, [-1, width])
  const sum = (name: string, right: Value, columns: number) => {
    const before = graph.input(name, 'float32', [width, columns])
    graph.output(`${name}.next`, graph.add('Gemm', [rows, right, before], { transA: 1 }))
  }
  sum('gram', rows, width)
  sum('cross', reshape(graph, wanted, [-1, targets]), targets)
  return graph
}
