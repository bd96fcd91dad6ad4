import { emitHead, type ForwardModel, type ModelDescription, type OuterBinding } from '@awq/models'
import { Graph } from '@awq/onnx'
import { tensor } from '@awq/ort'

/** How a model predicts tokens, one entry per row. */
export interface Predictions {
  /** -log p(target) in nats. */
  readonly nll: Float32Array
  /** The most probable token. */
  readonly best: readonly number[]
}

/** The head of a model that scores rows of residual streams. */
export interface TargetHead extends AsyncDisposable {
  /**
   * @param hidden float32 `[rows, hidden]`, row-major
   * @param targets `[rows]` the true tokens
   */
  predict(
    hidden: Float32Array,
    targets: readonly number[],
    options: { readonly signal?: AbortSignal | undefined },
  ): Promise<Predictions>
}

/** `hidden` and `targets` int64 `[1, rows, 1]` to `nll` float32 `[1, rows, 1]` and `best` int64 `[1, rows]`. */
export const emitTargetHead = (description: ModelDescription, binding: OuterBinding): Graph => {
  const graph = new Graph(`${description.config.modelType}-targets`)
  const hidden = graph.input('hidden', 'float32', [1, 'rows', description.config.hiddenSize])
  const targets = graph.input('targets', 'int64', [1, 'rows', 1])
  const logits = emitHead(graph, description, binding, hidden)
  const logQ = graph.add('LogSoftmax', [logits], { axis: -1 })
  graph.output('nll', graph.add('Neg', [graph.add('GatherElements', [logQ, targets], { axis: -1 })]))
  graph.output('best', graph.add('ArgMax', [logits], { axis: -1, keepdims: 0 }))
  return graph
}

/** Opens the head of a model for targets. */
export const openTargetHead = async (model: ForwardModel): Promise<TargetHead> => {
  const { hiddenSize } = model.description.config
  const { session, feeds } = await model.openOuter((binding) => emitTargetHead(model.description, binding))
  return {
    async predict(hidden, targets, options) {
      const rows = targets.length
      const input = {
        ...feeds,
        hidden: tensor('float32', [1, rows, hiddenSize], hidden),
        targets: tensor('int64', [1, rows, 1], BigInt64Array.from(targets, BigInt)),
      }
      const out = await session.run(input, options)
      return { nll: out.nll?.data as Float32Array, best: Array.from(out.best?.data as BigInt64Array, Number) }
    },
    [Symbol.asyncDispose]: () => session.dispose(),
  }
}
