/**
 * Factors of Gram matrices, which passes share.
 * @module
 */
import type { Engine } from '@awq/ort'
import { factorGram, type GptqFactor, type GptqFactorOptions } from '@awq/quantize'

/** By the matrix; a block's statistics, and their factors with them, go when it is done. */
const factors = new WeakMap<Float32Array, Map<string, Promise<GptqFactor>>>()

/** `factorGram`, once for a matrix and the options that decide the result: the clip and the GPTQ pass need the same one. */
export const gptqFactor = (
  engine: Engine,
  gram: Float32Array,
  width: number,
  options: GptqFactorOptions,
): Promise<GptqFactor> => {
  const own = factors.get(gram) ?? new Map<string, Promise<GptqFactor>>()
  factors.set(gram, own)
  const { damping, order } = options
  const key = JSON.stringify({ damping, order })
  const found = own.get(key) ?? factorGram(engine, gram, width, options)
  own.set(key, found)
  return found
}
