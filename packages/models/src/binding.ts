/**
 * The seam between the structure of a model and its weights: the emitter asks a binding for every parameter, so one
 * emitter makes the float, the calibration, the quantized and the serving graph.
 * @module
 */
import type { Graph, Value } from '@awq/onnx'
import type { LinearSpec } from './describe.ts'

/** Supplies the parameters of one block to a graph. Names are base names inside the block. */
export interface BlockBinding {
  /**
   * `y = x W^T + b` for linears that read the same value, so that a binding may fuse them into one product.
   * @param x float32 `[batch, sequence, in]`
   * @returns float32 `[batch, sequence, out]` for each linear, in order
   */
  linears(graph: Graph, x: Value, linears: readonly LinearSpec[]): Value[]
  /** A float32 vector such as a norm's weight, by its name with suffix. */
  vector(graph: Graph, name: string, length: number): Value
}

/** Supplies the parameters outside the blocks. */
export interface OuterBinding {
  /** Rows of the embedding table: int64 ids `[batch, sequence]` to float32 `[batch, sequence, hidden]`. */
  embed(graph: Graph, ids: Value): Value
  /** The final norm's weight, float32 `[hidden]`. */
  finalNorm(graph: Graph): Value
  /** Logits: float32 `[batch, sequence, hidden]` to `[batch, sequence, vocab]`. */
  head(graph: Graph, hidden: Value): Value
}
