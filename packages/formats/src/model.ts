/**
 * A quantized model between two formats: what every reader gives and every writer takes.
 * @module
 */
import type { ModelDescription } from '@awq/models'
import type { Provenance, QuantSpec } from '@awq/quantize'
import type { Folder, QuantizedMatrix, TensorEntry } from '@awq/tensor'

/** A matrix of integers, read when it is asked for. */
export interface QuantizedParameter {
  readonly kind: 'quantized'
  readonly spec: QuantSpec
  readonly shape: readonly [out: number, inputs: number]
  /** Columns that stay float (`--keep-salient`); most formats cannot hold them. */
  readonly denseColumns: number
  /** Whether its columns belong to inputs in another order than the model's (GPTQ's activation order). */
  readonly inputOrder: boolean
  read(options?: { readonly signal?: AbortSignal | undefined }): Promise<QuantizedMatrix>
}

/** A tensor that is not quantized, in the dtype it is stored in. */
export interface FloatParameter {
  readonly kind: 'float'
  readonly entry: TensorEntry
}

/** A parameter of a model. */
export type Parameter = QuantizedParameter | FloatParameter

/** An open model, quantized or float, whatever format it came from. Nothing but headers has been read. */
export interface PortableModel extends AsyncDisposable {
  /** What messages call it. */
  readonly name: string
  /** Name of the format it was read from. */
  readonly format: string
  /** config.json, without `quantization_config`. */
  readonly config: Readonly<Record<string, unknown>>
  readonly description: ModelDescription
  /** By full parameter name, as `modelParameters(description)` gives them; float matrices in the orientation of the model's checkpoints. */
  readonly parameters: ReadonlyMap<string, Parameter>
  /** The tokenizer's and the other small files that go along, by name. */
  readonly companions: ReadonlyMap<string, () => Promise<Uint8Array>>
  /** What is known of how it was made: that of the store, or what a reader can tell. */
  readonly provenance: Provenance
}

/** Options of reading a model. */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined
  /** What is changed or left out on the way, one line each. */
  readonly onWarning?: ((message: string) => void) | undefined
}

/** A folder with a model in it. */
export type ModelFolder = Folder
