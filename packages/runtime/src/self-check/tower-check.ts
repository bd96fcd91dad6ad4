/**
 * Attention of a vision tower on a device, with made-up values, against plain arithmetic in double precision.
 * @module
 */
import { type ActivationType, attendToAll, emitTowerAttention, type VisionDescription } from '@awq/models'
import { Graph } from '@awq/onnx'
import type { Engine } from '@awq/ort'
import { deviation, tolerance, valuesOf } from './compare.ts'

/** Tokens of the two tiles that are tried. */
const tokens = 20
const tiles = 2

const numbers = (length: number, seed: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => (((i * 7919 + seed * 131 + (i % 37) * (i % 41)) % 257) - 128) / 128)

/** Values `[tiles, tokens, heads * headDim]`, in which all tokens of a tile see each other. */
const attendPlainly = (
  [query, key, value]: readonly [Float32Array, Float32Array, Float32Array],
  heads: number,
  headDim: number,
  scale: number,
): Float64Array => {
  const width = heads * headDim
  const result = new Float64Array(query.length)
  for (let tile = 0; tile < tiles; tile++)
    for (let head = 0; head < heads; head++) {
      const at = (token: number): number => (tile * tokens + token) * width + head * headDim
      for (let token = 0; token < tokens; token++) {
        const scores = Array.from({ length: tokens }, (_, other) => {
          let sum = 0
          for (let i = 0; i < headDim; i++) sum += query[at(token) + i]! * key[at(other) + i]!
          return sum * scale
        })
        const largest = Math.max(...scores)
        const weights = scores.map((score) => Math.exp(score - largest))
        const total = weights.reduce((sum, weight) => sum + weight)
        for (const [other, weight] of weights.entries())
          for (let i = 0; i < headDim; i++) result[at(token) + i]! += (weight / total) * value[at(other) + i]!
      }
    }
  return result
}

/**
 * Computes the attention of a tower for two tiles.
 * @returns what is computed wrong, in words; undefined when all is right
 * @throws AwqError ENGINE when the device can not compute it at all
 */
export const checkTower = async (
  engine: Engine,
  { tower }: Pick<VisionDescription, 'tower'>,
  dtype: ActivationType,
  signal: AbortSignal | undefined,
): Promise<string | undefined> => {
  const { hiddenSize, heads } = tower
  const step = attendToAll(hiddenSize, heads)
  const graph = new Graph('tower-check')
  const inputs = new Map(
    ['query', 'key', 'value'].map((name) => [name, graph.input(name, dtype, ['tiles', 'tokens', hiddenSize])]),
  )
  const made = emitTowerAttention(graph, step, (name) => inputs.get(name)!, { rope: null, windows: null }, false)
  graph.output('output', dtype === 'float32' ? made : graph.add('Cast', [made], { to: 'float32' }))
  const values = [1, 2, 3].map((seed) => numbers(tiles * tokens * hiddenSize, seed))
  const [query, key, value] = values as [Float32Array, Float32Array, Float32Array]
  const feed = (rows: Float32Array) => valuesOf(rows, dtype, [tiles, tokens, hiddenSize])
  await using session = await engine.createSession(graph.toBytes(), { signal })
  const { output } = await session.run({ query: feed(query), key: feed(key), value: feed(value) }, { signal })
  const expected = attendPlainly([query, key, value], heads, hiddenSize / heads, step.scale)
  const off = deviation(output!.data as Float32Array, expected)
  if (off <= tolerance(dtype, false)) return undefined
  return `attention of the vision tower, ${heads} heads of ${hiddenSize / heads} in ${dtype}, is off by ${off.toPrecision(2)} of its size`
}
