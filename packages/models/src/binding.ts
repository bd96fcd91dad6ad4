/**
 * The seam between the structure of a model and its weights: the emitter asks a binding for every parameter, so one
 * emitter makes the float, the calibration, the quantized and the serving graph.
 * @module
 */
import type { Graph, Value } from '@awq/onnx'
import type { LinearSpec } from './describe.ts'

/**
 * Supplies the parameters of one block to a graph, in the element type of its activations (float32, or float16 for a
 * binding made for that). Names are base names inside the block.
 */
export interface BlockBinding {
  /**
   * `y = x W^T + b` for linears that read the same value, so that a binding may make them one product.
   * @param x `[batch, sequence, in]`
   * @returns either a value `[batch, sequence, out]` for each linear, in order, or a single one that holds all of them
   * side by side along the last axis, in the same order: the emitter splits it where it must
   */
  linears(graph: Graph, x: Value, linears: readonly LinearSpec[]): readonly Value[]
  /** A vector such as a norm's weight, by its name with suffix. */
  vector(graph: Graph, name: string, length: number): Value
}

/** Supplies the parameters outside the blocks. */
export interface OuterBinding {
  /** Rows of the embedding table: int64 ids `[batch, sequence]` to `[batch, sequence, hidden]`. */
  embed(graph: Graph, ids: Value): Value
  /** The final norm's weight `[hidden]`. */
  finalNorm(graph: Graph): Value
  /** Logits: `[batch, sequence, hidden]` to `[batch, sequence, vocab]`. */
  head(graph: Graph, hidden: Value): Value
}
