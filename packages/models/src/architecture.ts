/**
 * An architecture is a table: how a family's `config.json` reads, what its parameters are called, the steps of one
 * decoder block, and which linears share a scale. Graphs, calibration and folding all follow from it.
 * @module
 */

import type { ModelConfig } from './config.ts'
import type { ConfigReader } from './config-reader.ts'

/**
 * One step of a block. `from`, `to`, `query` ... name values that live within the block; the block begins with the
 * residual stream as `hidden` and ends with the value it calls `hidden` last. `weight` is the parameter's base name
 * inside the block, without `.weight`.
 */
export type Step =
  /** `x / sqrt(mean(x^2) + epsilon) * w` over the last axis (arXiv 1910.07467). */
  | { readonly step: 'rmsNorm'; readonly weight: string; readonly from: string; readonly to: string }
  /** `y = x W^T + b` with `W [rows, columns]`. */
  | {
      readonly step: 'linear'
      readonly weight: string
      readonly from: string
      readonly to: string
      readonly rows: number
      readonly columns: number
      readonly bias: boolean
    }
  /** Causal attention with rotary embedding of query and key, `softmax(Q K^T / sqrt(headDim)) V`. */
  | {
      readonly step: 'attention'
      readonly query: string
      readonly key: string
      readonly value: string
      readonly to: string
    }
  /** The activation of the configuration, elementwise. */
  | { readonly step: 'activation'; readonly from: string; readonly to: string }
  | { readonly step: 'multiply'; readonly left: string; readonly right: string; readonly to: string }
  | { readonly step: 'add'; readonly left: string; readonly right: string; readonly to: string }

/**
 * Linears that read one value, and the parameter that can absorb the inverse of their common scale (AWQ, arXiv
 * 2306.00978, section 3.2). `consumers` must list every reader of the producer's output.
 *
 * - `norm`: the producer is a norm whose weight is divided channel by channel.
 * - `linear`: the producer is a linear whose rows (and bias) are divided; its output reaches the consumers through
 *   elementwise products only.
 * - `value`: the producer is the value projection; under GQA each of its rows feeds `heads / kvHeads` columns.
 */
export interface ScaleGroupRule {
  readonly kind: 'norm' | 'linear' | 'value'
  readonly producer: string
  readonly consumers: readonly string[]
}

/** A model family. */
export interface Architecture {
  /** The values of `model_type` this table serves. */
  readonly modelTypes: readonly string[]
  /** Reads and checks `config.json`. */
  readonly config: (reader: ConfigReader, modelType: string) => ModelConfig
  /** Parameter names outside the blocks, and the prefix of block `layer`. */
  readonly names: {
    readonly embedding: string
    readonly finalNorm: string
    readonly head: string
    readonly block: (layer: number) => string
  }
  /** The steps of a block, in order. */
  readonly block: (config: ModelConfig) => readonly Step[]
  readonly scaleGroups: readonly ScaleGroupRule[]
}
