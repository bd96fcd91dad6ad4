/**
 * How many tokens of a prompt run at once, by what the device computes right.
 * @module
 */
import type { AttentionForm } from '@awq/models'
import { Graph } from '@awq/onnx'
import { cachedSession, type Engine, kernelsOf, tensor, zeros } from '@awq/ort'

/** Tokens of a prompt that run at once. Larger chunks need more memory for the scores, smaller ones more runs. */
export const prefillChunk = 256

/** Below 32 tokens GroupQueryAttention on WebGPU takes another way through its kernels, which every device gets right. */
const shortChunk = 16

const tokens = 40
const slots = 64
const width = 16

/** GroupQueryAttention with one head and a cache, nothing rotated. */
const attentionGraph = (): Uint8Array => {
  const graph = new Graph('attention-check')
  const row = (name: string) => graph.input(name, 'float32', [1, tokens, width])
  const cache = (name: string) => graph.input(name, 'float32', [1, 1, slots, width])
  const [output, key, value] = graph.addAll(
    'GroupQueryAttention',
    [
      row('query'),
      row('key'),
      row('value'),
      cache('past_key'),
      cache('past_value'),
      graph.input('last', 'int32', [1]),
      graph.input('total', 'int32', []),
    ],
    { num_heads: 1, kv_num_heads: 1 },
    { outputs: 3 },
  )
  graph.output('output', output!)
  graph.output('present_key', key!)
  graph.output('present_value', value!)
  return graph.toBytes()
}

/**
 * Whether the operator reads the keys of a longer prompt right. With keys of zeros every token attends alike to all up to
 * itself; with values that are their positions the result of token i is i / 2.
 */
const attendsRight = async (engine: Engine): Promise<boolean> => {
  const session = await cachedSession(engine, 'runtime attention check', attentionGraph)
  const pastKey = engine.upload(zeros('float32', [1, 1, slots, width]))
  const pastValue = engine.upload(zeros('float32', [1, 1, slots, width]))
  try {
    const feeds = {
      query: zeros('float32', [1, tokens, width]),
      key: zeros('float32', [1, tokens, width]),
      value: tensor(
        'float32',
        [1, tokens, width],
        Float32Array.from({ length: tokens * width }, (_, index) => Math.floor(index / width)),
      ),
      past_key: pastKey,
      past_value: pastValue,
      last: tensor('int32', [1], Int32Array.of(tokens - 1)),
      total: tensor('int32', [], Int32Array.of(tokens)),
    }
    const { output } = await session.run(feeds, { into: { present_key: pastKey, present_value: pastValue } })
    const made = output!.data as Float32Array
    return made.every((value, index) => Math.abs(value - Math.floor(index / width) / 2) < 1e-2)
  } finally {
    pastKey.dispose()
    pastValue.dispose()
  }
}

/**
 * Tokens of a prompt that run at once. ONNX Runtime's attention kernel for longer prompts on WebGPU counts keys twice
 * where the device works in subgroups of 4, as software drivers do; there a prompt runs in short chunks.
 */
export const choosePrefillChunk = async (engine: Engine, attention: AttentionForm): Promise<number> => {
  const doubtful = kernelsOf(engine.device).doubtfulPrompts && attention === 'fused'
  return doubtful && !(await attendsRight(engine)) ? shortChunk : prefillChunk
}
