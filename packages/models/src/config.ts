/**
 * What the graphs need to know of a model's `config.json`, in one vocabulary for all families.
 * @module
 */
import type { Activation } from './activation.ts'
import type { RopeConfig } from './rope.ts'

/** Dimensions and options of a decoder, read from `config.json` by its architecture table. */
export interface ModelConfig {
  /** `model_type` of config.json. */
  readonly modelType: string
  /** Width of the residual stream. */
  readonly hiddenSize: number
  /** Width of the MLP between its linears. */
  readonly intermediateSize: number
  /** Number of decoder blocks. */
  readonly layers: number
  /** Query heads. */
  readonly heads: number
  /** Key and value heads; `heads / kvHeads` query heads share one (GQA). */
  readonly kvHeads: number
  /** Width of one head; even, because rotary embedding turns pairs. */
  readonly headDim: number
  readonly vocabSize: number
  /** Longest sequence the model was trained for, in tokens. */
  readonly contextLength: number
  /** The epsilon of every norm. */
  readonly normEpsilon: number
  /** True when the output head reads the embedding table. */
  readonly tiedEmbeddings: boolean
  readonly activation: Activation
  /** Bias on the q, k, v and o projections. */
  readonly attentionBias: boolean
  /** Bias on the gate, up and down projections. */
  readonly mlpBias: boolean
  readonly rope: RopeConfig
  /** Positions a token sees, itself included; null when it sees all before it. */
  readonly slidingWindow: number | null
}
