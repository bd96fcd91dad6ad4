/**
 * The files that users of transformers.js choose between by `dtype`.
 * @module
 */
import type { ActivationType } from '@awq/models'
import { layoutOf } from '@awq/onnx'
import { isTable } from '../matrix-names.ts'
import type { PortableModel } from '../model.ts'

/** Files of external data: browsers hold no more than 2 GB in one buffer. */
export const MAX_FILE_BYTES = 2_000_000_000

/** One of the files that users choose between by `dtype`. */
export interface Variant {
  /** What transformers.js calls it. */
  readonly dtype: string
  /** What its files' names end in, before `.onnx`. */
  readonly suffix: string
  readonly activations: ActivationType
}

const variant = (dtype: string, suffix: string, activations: ActivationType): Variant => ({
  dtype,
  suffix,
  activations,
})

/** By the bits that codes are stored in; 0 for a model of floats. transformers.js has no name for 8 bits with float16. */
export const VARIANTS: Readonly<Record<number, readonly Variant[]>> = {
  0: [variant('fp32', '', 'float32'), variant('fp16', '_fp16', 'float16')],
  2: [variant('q2', '_q2', 'float32'), variant('q2f16', '_q2f16', 'float16')],
  4: [variant('q4', '_q4', 'float32'), variant('q4f16', '_q4f16', 'float16')],
  8: [variant('q8', '_quantized', 'float32')],
}

/** The bits that most weights of the blocks are stored in; those of all matrices where none of a block is quantized. */
export const commonBits = (model: PortableModel): number => {
  const weights = new Map<number, number>([[0, 0]])
  for (const [name, parameter] of model.parameters) {
    if (parameter.kind === 'float') continue
    const { shape, spec } = parameter
    const { storedBits } = layoutOf({ ...spec, shape })
    const share = isTable(model, name) ? 1e-9 : 1
    weights.set(storedBits, (weights.get(storedBits) ?? 0) + share * shape[0] * shape[1])
  }
  return [...weights].reduce((most, one) => (one[1] > most[1] ? one : most))[0]
}

/** The file of a session: `decoder_model_merged_q4.onnx`. */
export const variantFile = (session: string, { suffix }: Variant): string => `${session}${suffix}.onnx`
