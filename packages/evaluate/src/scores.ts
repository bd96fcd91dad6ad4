/**
 * The graphs that turn residual streams into scores. Log-softmax, likelihoods, divergence and arg-max over the
 * vocabulary run on the engine: JavaScript only ever sees one number per position.
 * @module
 */
import { emitHead, type ForwardModel, type ModelDescription, type OuterBinding } from '@awq/models'
import { Graph, int64s } from '@awq/onnx'
import { type Session, type Tensor, tensor } from '@awq/ort'

/** Scores of positions, one number each. */
export interface Scores {
  /** -log p(target) in nats. */
  readonly nll: Float32Array
  /** KL(reference || model) in nats; absent without a reference. */
  readonly kl?: Float32Array
  /** 1 where the model's most probable token is also the reference's; absent without a reference. */
  readonly agree?: Uint8Array
}

/** Scores rows of residual streams. */
export interface Scorer extends AsyncDisposable {
  /**
   * @param hidden float32 `[rows, hidden]`, row-major
   * @param targets `[rows]` token ids that follow
   * @param reference the same positions' residual streams in the reference model
   */
  score(
    hidden: Float32Array,
    targets: Int32Array,
    reference: Float32Array | undefined,
    options: { signal?: AbortSignal | undefined },
  ): Promise<Scores>
}

/** Log-probabilities `[1, rows, vocab]` of the head over `hidden` `[1, rows, hidden]`. */
const emitLogProbabilities = (graph: Graph, description: ModelDescription, binding: OuterBinding) => {
  const hidden = graph.input('hidden', 'float32', [1, 'rows', description.config.hiddenSize])
  return graph.add('LogSoftmax', [emitHead(graph, description, binding, hidden)], { axis: -1 })
}

/** The reference's graph: `hidden` to `log_probabilities`. */
export const emitReference = (description: ModelDescription, binding: OuterBinding): Graph => {
  const graph = new Graph(`${description.config.modelType}-reference`)
  graph.output('log_probabilities', emitLogProbabilities(graph, description, binding))
  return graph
}

/**
 * The model's graph: `hidden` and `targets` int64 `[1, rows, 1]` to `nll` `[1, rows, 1]`; with a reference also its
 * `log_probabilities` float32 `[1, rows, vocab]` to `kl` float32 and `agree` uint8, both `[1, rows]`.
 * KL(P || Q) = sum over the vocabulary of exp(log p) (log p - log q).
 */
export const emitScores = (description: ModelDescription, binding: OuterBinding, withReference: boolean): Graph => {
  const graph = new Graph(`${description.config.modelType}-scores`)
  const logQ = emitLogProbabilities(graph, description, binding)
  const targets = graph.input('targets', 'int64', [1, 'rows', 1])
  graph.output('nll', graph.add('Neg', [graph.add('GatherElements', [logQ, targets], { axis: -1 })]))
  if (!withReference) return graph
  const logP = graph.input('log_probabilities', 'float32', [1, 'rows', description.config.vocabSize])
  const terms = graph.add('Mul', [graph.add('Exp', [logP]), graph.add('Sub', [logP, logQ])])
  graph.output('kl', graph.add('ReduceSum', [terms, int64s(graph, [-1])], { keepdims: 0 }))
  const best = (x: typeof logP) => graph.add('ArgMax', [x], { axis: -1, keepdims: 0 })
  graph.output('agree', graph.add('Cast', [graph.add('Equal', [best(logP), best(logQ)])], { to: 'uint8' }))
  return graph
}

/** Opens the heads of a model and, for KL and agreement, of its reference. */
export const openScorer = async (model: ForwardModel, reference: ForwardModel | undefined): Promise<Scorer> => {
  const { hiddenSize } = model.description.config
  const own = await model.openOuter((binding) => emitScores(model.description, binding, reference !== undefined))
  let other: { session: Session; feeds: Record<string, Tensor> } | undefined
  try {
    other = await reference?.openOuter((binding) => emitReference(reference.description, binding))
  } catch (error) {
    await own.session.dispose()
    throw error
  }
  const referenceSize = reference?.description.config.hiddenSize ?? 0
  return {
    async score(hidden, targets, referenceHidden, options) {
      const rows = targets.length
      const feeds: Record<string, Tensor> = {
        ...own.feeds,
        hidden: tensor('float32', [1, rows, hiddenSize], hidden),
        targets: tensor('int64', [1, rows, 1], BigInt64Array.from(targets, BigInt)),
      }
      if (other && referenceHidden) {
        const input = tensor('float32', [1, rows, referenceSize], referenceHidden)
        const made = await other.session.run({ ...other.feeds, hidden: input }, options)
        feeds.log_probabilities = made.log_probabilities as Tensor
      }
      const out = await own.session.run(feeds, options)
      const nll = out.nll?.data as Float32Array
      return other ? { nll, kl: out.kl?.data as Float32Array, agree: out.agree?.data as Uint8Array } : { nll }
    },
    async [Symbol.asyncDispose]() {
      await own.session.dispose()
      await other?.session.dispose()
    },
  }
}
