/**
 * An architecture is a table: how a family's `config.json` reads, what its parameters are called, the steps of every
 * decoder block, and which linears share a scale. Graphs, calibration and folding all follow from it.
 * @module
 */

import type { ModelConfig } from './config.ts'
import type { ConfigReader } from './config-reader.ts'
import type { Step } from './steps.ts'
import type { VisionTable } from './vision/table.ts'

/**
 * Linears that read one value, and the parameter that can absorb the inverse of their common scale (AWQ, arXiv
 * 2306.00978, section 3.2). `consumers` list every reader of what the producer makes, which is checked.
 *
 * - `norm`: the producer is a norm, whose weight (and bias) is divided channel by channel.
 * - `linear`: the producer is a linear whose rows (and bias) are divided; its output reaches the consumers through
 *   elementwise products and ReLU only.
 * - `value`: the producer is, or holds, the value projection; under GQA each of its rows feeds `heads / kvHeads` columns.
 * - `activation`: the producer is a `scale` step, put where nothing else can absorb the scale.
 */
export interface ScaleGroupRule {
  readonly kind: 'norm' | 'linear' | 'value' | 'activation'
  readonly producer: string
  readonly consumers: readonly string[]
}

/** What one block computes, and its scale groups. */
export interface BlockTable {
  readonly steps: readonly Step[]
  readonly scaleGroups: readonly ScaleGroupRule[]
}

/** What a model computes outside of its blocks; parameters by full base names. */
export interface OuterTable {
  /** The embedding table, `[vocabSize, embeddingSize]`. */
  readonly embedding: string
  /** From the embedded tokens, `hidden`, to the residual stream of the first block, `hidden`; default none. */
  readonly embed?: readonly Step[] | undefined
  /** From the last block's residual stream, `hidden`, to what the head reads: what the last of these steps makes. */
  readonly norm: readonly Step[]
  /** The head's linear, `[vocabSize, embeddingSize]`; when tied to the embedding it has no table of its own. */
  readonly head: string
  readonly headBias?: boolean | undefined
  /** From the head's product, `logits`, to `logits`; default none. */
  readonly logits?: readonly Step[] | undefined
}

/** A model, as its family's table describes it. */
export interface ModelTable {
  readonly config: ModelConfig
  readonly outer: OuterTable
  /** The prefix of the parameters of block `layer`: `model.layers.3`. */
  readonly blockName: (layer: number) => string
  /** The block `layer`. Blocks with equal steps and groups share their graphs. */
  readonly block: (layer: number) => BlockTable
  /** Beginnings of tensor names in some checkpoints, and what they are here: `embed_out.` is `lm_head.`. */
  readonly aliases?: Readonly<Record<string, string>> | undefined
  /**
   * Beginnings of names here, and what they are in the files that transformers writes: `model.` is `language_model.model.` in a
   * model that sees. The first that fits counts; names that none fits are the same.
   */
  readonly fileNames?: Readonly<Record<string, string>> | undefined
  /** The base model's prefix, which checkpoints that were saved without a head leave out: `transformer.`. */
  readonly prefix?: string | undefined
  /**
   * Parameters that checkpoints hold for all experts in one tensor `[experts, ...]`, both inside a block: the name of one,
   * with `*` for its number and with its suffix, to that tensor's.
   */
  readonly stacked?: Readonly<Record<string, string>> | undefined
  /** Blocks behind the last one that checkpoints have for other purposes, and that are left out; default 0. */
  readonly extraBlocks?: number | undefined
  /** Ends of tensor names inside blocks that hold nothing to compute with (masks, tables that follow from the config). */
  readonly ignored?: readonly string[] | undefined
  /**
   * How it sees, where it does. A function, because what can not be read of it leaves the language model as it is: an error is
   * thrown when the model is to see.
   */
  readonly vision?: (() => VisionTable) | undefined
}

/** A model family. */
export interface Architecture {
  /** The values of `model_type` this table serves. */
  readonly modelTypes: readonly string[]
  /** Reads and checks `config.json`: every field that changes the output is read, or refused where it is not its default. */
  readonly model: (reader: ConfigReader, modelType: string, find: FindArchitecture) => ModelTable
}

/**
 * The table for a `model_type`, for families that have another one's model as a part.
 * @throws AwqError `UNSUPPORTED` for an unknown one
 */
export type FindArchitecture = (modelType: string) => Architecture
