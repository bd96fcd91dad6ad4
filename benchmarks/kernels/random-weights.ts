/**
 * Weights of random bytes, different in every matrix. With the same bytes everywhere a processor reads the second layer
 * from its cache, and a decoder seems up to twice as fast as it is.
 * @module
 */
import type { Graph, OnnxType, Value } from '@awq/onnx'

/** Where a graph's weights come from, and the files to hand to the engine with it. */
export interface RandomWeights {
  /** A tensor of random bytes. */
  codes(name: string, shape: readonly number[]): Value
  /** A tensor of one number over and over. */
  filled(name: string, dtype: 'float32' | 'float16', shape: readonly number[], value: number): Value
  /** A float32 tensor of numbers between -limit and limit. */
  uniform(name: string, shape: readonly number[], limit: number): Value
  readonly files: Readonly<Record<string, Uint8Array>>
  /** Bytes of everything made so far. */
  readonly bytes: number
}

const product = (shape: readonly number[]): number => shape.reduce((total, size) => total * size, 1)

/** float16 bits of a positive normal number, rounded down. */
const float16Bits = (value: number): number => {
  const exponent = Math.floor(Math.log2(value))
  return ((exponent + 15) << 10) | Math.floor((value / 2 ** exponent - 1) * 1024)
}

/** Weights for one graph. */
export const randomWeights = (graph: Graph, seed = 1): RandomWeights => {
  const files: Record<string, Uint8Array> = {}
  let state = seed
  let total = 0
  const add = (name: string, dtype: OnnxType, shape: readonly number[], data: ArrayBufferView): Value => {
    const length = data.byteLength
    files[name] = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, length)
    total += length
    return graph.external(name, dtype, shape, { file: name, offset: 0, length })
  }
  // Xorshift (Marsaglia 2003), 32 bits.
  const words = (count: number): Uint32Array => {
    const made = new Uint32Array(count)
    for (let i = 0; i < count; i++) {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      made[i] = state
    }
    return made
  }
  return {
    codes(name, shape) {
      const count = product(shape)
      return add(name, 'uint8', shape, new Uint8Array(words(Math.ceil(count / 4)).buffer, 0, count))
    },
    filled(name, dtype, shape, value) {
      const count = product(shape)
      const half = dtype === 'float16'
      const data = half ? new Uint16Array(count).fill(float16Bits(value)) : new Float32Array(count).fill(value)
      return add(name, dtype, shape, data)
    },
    uniform(name, shape, limit) {
      const raw = words(product(shape))
      const data = new Float32Array(raw.buffer)
      for (let i = 0; i < raw.length; i++) data[i] = (raw[i]! / 2 ** 31 - 1) * limit
      return add(name, 'float32', shape, data)
    },
    files,
    get bytes() {
      return total
    },
  }
}
