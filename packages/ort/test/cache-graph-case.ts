import { Graph, type Value } from '@awq/onnx'
import { type Engine, tensor, zeros } from '../src/index.ts'

const heads = 4
const kvHeads = 2
const headDim = 16
const width = heads * headDim
const capacity = 32

/** Numbers from -0.5 to 0.5 from a fixed seed (a linear congruential generator). */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647 - 0.5
  }
}

/** x + W2 attention(W1 x): the two products of a decoder's attention around its operator, with keys and values kept. */
function attentionGraph(): Uint8Array {
  const next = numbers(3)
  const graph = new Graph('cached-attention')
  const floats = (shape: readonly number[], value: (index: number) => number): Value =>
    graph.constant(
      'float32',
      shape,
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, index) => value(index)),
    )
  const product = (x: Value, columns: number): Value => {
    const codes = Uint8Array.from({ length: (columns * width) / 2 }, () => Math.floor((next() + 0.5) * 255))
    const inputs = [
      x,
      graph.constant('uint8', [columns, width / 32, 16], codes),
      floats([columns, width / 32], () => next() / 8),
    ]
    return graph.add('MatMulNBits', inputs, { K: width, N: columns, bits: 4, block_size: 32, accuracy_level: 1 })
  }
  const angle = (index: number): number => {
    const pair = index % (headDim / 2)
    return Math.floor(index / (headDim / 2)) / 10000 ** ((2 * pair) / headDim)
  }

  const x = graph.input('x', 'float32', [1, 'sequence', width])
  const cacheShape = [1, kvHeads, capacity, headDim]
  const [mixed, key, value] = graph.addAll(
    'GroupQueryAttention',
    [
      product(x, width + 2 * kvHeads * headDim),
      null,
      null,
      graph.input('past_key', 'float32', cacheShape),
      graph.input('past_value', 'float32', cacheShape),
      graph.input('last_position', 'int32', [1]),
      graph.input('total_length', 'int32', []),
      floats([capacity, headDim / 2], (index) => Math.cos(angle(index))),
      floats([capacity, headDim / 2], (index) => Math.sin(angle(index))),
    ],
    { num_heads: heads, kv_num_heads: kvHeads, do_rotary: 1 },
    { outputs: 3 },
  )
  graph.output('y', graph.add('Add', [x, product(mixed!, width)]))
  graph.output('present_key', key!)
  graph.output('present_value', value!)
  return graph.toBytes()
}

/** What the steps have made: the outputs of each, and the keys in the cache after the last. */
export interface CacheRun {
  readonly outputs: readonly Float32Array[]
  readonly keys: Float32Array
}

/** A prompt of 5 tokens and 20 steps of one, each with the same tensors of the engine as past and as present. */
export function cacheGraphCase(): { run(engine: Engine): Promise<CacheRun> } {
  const model = attentionGraph()
  return {
    async run(engine) {
      const next = numbers(11)
      await using session = await engine.createSession(model)
      const shape = [1, kvHeads, capacity, headDim]
      const key = engine.upload(zeros('float32', shape))
      const value = engine.upload(zeros('float32', shape))
      const outputs: Float32Array[] = []
      let length = 0
      for (const count of [5, ...new Array<number>(20).fill(1)]) {
        length += count
        const feeds = {
          x: tensor('float32', [1, count, width], Float32Array.from({ length: count * width }, next)),
          past_key: key,
          past_value: value,
          last_position: tensor('int32', [1], Int32Array.of(length - 1)),
          total_length: tensor('int32', [], Int32Array.of(length)),
        }
        const { y } = await session.run(feeds, { into: { present_key: key, present_value: value } })
        outputs.push(y!.data as Float32Array)
      }
      const keys = (await key.read()).data as Float32Array
      key.dispose()
      value.dispose()
      return { outputs, keys }
    },
  }
}
