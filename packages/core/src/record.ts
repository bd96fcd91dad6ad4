/**
 * What a quantization did, as plain JSON: the material of a report.
 * @module
 */
import type { StageSeconds } from './stages.ts'

/** One quantized linear. */
export interface LinearRecord {
  readonly layer: number
  /** Base name inside the block, for example `self_attn.q_proj`. */
  readonly name: string
  readonly shape: readonly [out: number, inputs: number]
  readonly bits: number
  /** Inputs that share a scale; -1 for a whole row. */
  readonly groupSize: number
  readonly symmetric: boolean
  /** Bytes in the store: codes, scales and zero points. */
  readonly bytes: number
  /** |Q - W|^2 / |W|^2 of the weight that was rounded, after all scales were folded. */
  readonly weightError: number
  /** tr(W G W^T), the mean square of the float outputs, summed over outputs; only where statistics were collected. */
  readonly power?: number
  /** tr(E G E^T) of rounding the original weight to nearest with the same bits and groups. */
  readonly lossBefore?: number
  /** tr(E G E^T) of what is stored, its scales undone: the error of the float model's own outputs. */
  readonly lossAfter?: number
  /**
   * Number of groups whose codes cover k/20 of the group's full range (to the nearest k), at index k = 0 ... 20; groups of
   * zeros are not counted.
   */
  readonly clip: readonly number[]
}

/** One activation that linears read, and what was done to its channels. */
export interface InputRecord {
  readonly layer: number
  /** Base names of the linears that read it. */
  readonly readers: readonly string[]
  /** Median over channels of mean |x|. */
  readonly median: number
  /** The channels with the largest mean |x|, largest first; `scale` is what their weights were multiplied by. */
  readonly channels: readonly { readonly index: number; readonly meanAbs: number; readonly scale: number }[]
}

/** One scale that was folded. */
export interface ScaleGroupRecord {
  readonly layer: number
  /** Base names of the parameter that took the inverse, and of the linears that took the scale. */
  readonly producer: string
  readonly consumers: readonly string[]
  /** Name of the pass that folded it. */
  readonly pass?: string
  /** The exponent of mean |x|, for strategies that have one. */
  readonly alpha?: number
  /** The search's own measure of the scale chosen, and of none. */
  readonly loss?: number
  readonly identityLoss?: number
}

/** One tensor of the model. */
export interface TensorRecord {
  readonly name: string
  readonly shape: readonly number[]
  /** Bytes in the float checkpoint; 0 for a head stored apart from the embedding that the checkpoint ties it to. */
  readonly floatBytes: number
  readonly storedBytes: number
}

/** A quantization, as `quantize({ record: true })` returns it. */
export interface QuantizationRecord {
  readonly format: 'awq-record'
  readonly version: 1
  readonly model: {
    readonly name: string
    readonly type: string
    readonly layers: number
    readonly parameters: number
  }
  readonly method: {
    readonly name: string
    readonly propagate: string
    readonly passes: readonly { readonly name: string; readonly options?: object }[]
  }
  /** The options that decide the result, by name. */
  readonly options: Readonly<Record<string, string | number | boolean>>
  /** Versions of what ran, by name. */
  readonly versions: Readonly<Record<string, string>>
  readonly engine: { readonly name: string; readonly device: string; readonly threads: number }
  /** null for methods that read no text. */
  readonly calibration: {
    readonly source: string
    readonly samples: number
    readonly length: number
    /** Records with images, each of its own length. */
    readonly images?: { readonly samples: number; readonly tokens: number } | undefined
  } | null
  readonly linears: readonly LinearRecord[]
  readonly inputs: readonly InputRecord[]
  readonly scaleGroups: readonly ScaleGroupRecord[]
  readonly tensors: readonly TensorRecord[]
  readonly stages: readonly StageSeconds[]
  /** Layers that an interrupted run without a record finished: `linears` and `inputs` lack them. */
  readonly missingLayers: readonly number[]
  readonly resumedLayers: number
  readonly seconds: number
  /** Not there of a page. */
  readonly peakRssBytes?: number
  /** Bytes of the checkpoint's tensors, and of the files written. */
  readonly inputBytes: number
  readonly outputBytes: number
}

/** The part of a record that one block gives; kept in the journal, so that a resumed run has it. */
export interface BlockRecord {
  readonly linears: readonly Omit<LinearRecord, 'bytes'>[]
  readonly inputs: readonly InputRecord[]
}
