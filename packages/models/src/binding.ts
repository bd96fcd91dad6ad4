/**
 * The seam between the structure of a model and its weights: the emitter asks a binding for every parameter, so one
 * emitter makes the float, the calibration, the quantized and the serving graph.
 * @module
 */
import type { Graph, Value } from '@awq/onnx'
import type { LinearSpec } from './linears.ts'
import type { ExpertsStep } from './steps.ts'

/**
 * Supplies parameters that stay float to a graph, in the element type of its activations (float32, or float16 for a
 * binding made for that). Names have their suffixes; inside a block they are without the block's prefix.
 */
export interface VectorBinding {
  /** A vector such as a norm's weight. */
  vector(graph: Graph, name: string, length: number): Value
  /** A dense tensor of another shape, such as a table of positions. */
  matrix(graph: Graph, name: string, shape: readonly number[]): Value
  /** A vector that a checkpoint need not have; null where it is not there, and 1. */
  optionalVector(graph: Graph, name: string, length: number): Value | null
}

/** Supplies the parameters of some steps. */
export interface BlockBinding extends VectorBinding {
  /**
   * `y = x W^T + b` for linears that read the same value, so that a binding may make them one product.
   * @param x `[batch, sequence, in]`
   * @returns either a value `[batch, sequence, out]` for each linear, in order, or a single one that holds all of them
   * side by side along the last axis, in the same order: the emitter splits it where it must
   */
  linears(graph: Graph, x: Value, linears: readonly LinearSpec[]): readonly Value[]
  /**
   * A mixture of experts by one operator; without this method, or where it gives undefined, experts are emitted each.
   * @param x `[batch, sequence, in]`
   * @param routing `[batch, sequence, experts]`: zero for experts that are not chosen
   */
  mixture?(graph: Graph, x: Value, routing: Value, step: ExpertsStep): Value | undefined
}

/** Supplies the parameters outside the blocks; those of the steps there by their full names. */
export interface OuterBinding extends BlockBinding {
  /** Rows of the embedding table: int64 ids `[batch, sequence]` to `[batch, sequence, embeddingSize]`. */
  embed(graph: Graph, ids: Value): Value
  /** Logits: `[batch, sequence, embeddingSize]` to `[batch, sequence, vocab]`, with the head's bias where it has one. */
  head(graph: Graph, hidden: Value): Value
}
