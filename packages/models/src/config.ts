/**
 * The dimensions of a decoder, in one vocabulary for all families.
 * @module
 */

/** Dimensions read from `config.json` by an architecture table; everything else is in the steps. */
export interface ModelConfig {
  /** `model_type` of config.json. */
  readonly modelType: string
  /** Width of the residual stream. */
  readonly hiddenSize: number
  /** Width of the embedding table's rows and of what the head reads, where it is another than `hiddenSize`. */
  readonly embeddingSize: number
  /** Width of the MLP between its linears. */
  readonly intermediateSize: number
  /** Number of decoder blocks. */
  readonly layers: number
  /** Query heads. */
  readonly heads: number
  /** Key and value heads; `heads / kvHeads` query heads share one (GQA). */
  readonly kvHeads: number
  /** Width of one head. */
  readonly headDim: number
  readonly vocabSize: number
  /** Longest sequence the model takes, in tokens. */
  readonly contextLength: number
  /** True when the output head reads the embedding table. */
  readonly tiedEmbeddings: boolean
}
