import { contradicts } from '../dims.ts'
import type { Dim, Shape } from '../types.ts'
import { flag, floats, type NodeView, type OpRow, optional, required } from './row.ts'
import { equalDims, needRank } from './shape-rules.ts'

const domain = 'com.microsoft' as const

function groupQueryAttentionShape(node: NodeView): Shape[] {
  const heads = node.number('num_heads')
  const kvHeads = node.number('kv_num_heads')
  if (heads < 1 || kvHeads < 1 || heads % kvHeads !== 0) {
    node.fail(`num_heads ${heads} is not a multiple of kv_num_heads ${kvHeads}`)
  }
  for (const input of [0, 1, 2]) needRank(node, input, 3, 'query, key and value')
  for (const input of [3, 4]) needRank(node, input, 4, 'past key and value')
  const [batch, length, width] = node.shape(0) as [Dim, Dim, Dim]
  const key = node.shapeIf(1)
  // Without key and value the query holds all three, packed.
  const sharers = key ? heads : heads + 2 * kvHeads
  if (typeof width === 'number' && width % sharers !== 0)
    node.fail(`width ${width} is not a multiple of ${sharers} heads`)
  // In a cache of 4 bits two numbers lie in one byte.
  const halved = node.number('kv_cache_bit_width') === 4
  const headSize =
    typeof width === 'number' ? width / sharers : ((halved ? undefined : node.shapeIf(3)?.[3]) ?? node.fresh())
  if (key && typeof headSize === 'number')
    equalDims(node, key[2]!, headSize * kvHeads, 'the width of the key and kv_num_heads heads')
  const past = node.shapeIf(3)
  const halfSize = typeof headSize === 'number' ? Math.ceil(headSize / 2) : (past?.[3] ?? node.fresh())
  const cached = halved ? halfSize : headSize
  if (past && (contradicts(past[1]!, kvHeads) || contradicts(past[3]!, cached))) {
    node.fail(`past key [${past.join(', ')}] is not [batch, ${kvHeads}, past, ${cached}]`)
  }
  const total = node.content(6)?.[0] ?? node.fresh()
  const present: Shape = [batch, kvHeads, total, cached]
  const output = typeof headSize === 'number' ? headSize * heads : key ? width : node.fresh()
  return [[batch, length, output], present, present, [batch, heads, length, total]]
}

function rotaryShape(node: NodeView): Shape[] {
  const shape = node.shape(0)
  needRank(node, 0, [3, 4], 'the input')
  needRank(node, 1, [1, 2], 'position_ids')
  needRank(node, 2, 2, 'the cosines')
  needRank(node, 3, 2, 'the sines')
  const half = equalDims(node, node.shape(2)[1]!, node.shape(3)[1]!, 'widths of cosines and sines')
  const partial = node.number('rotary_embedding_dim')
  if (partial > 0) equalDims(node, half, partial / 2, 'width of the cosines and half of rotary_embedding_dim')
  else if (shape.length === 4) {
    const headSize = shape[3]!
    if (typeof headSize === 'number') equalDims(node, half, headSize / 2, 'width of the cosines and half the head size')
  }
  return [shape]
}

function multiHeadShape(node: NodeView): Shape[] {
  for (const input of [0, 1, 2]) needRank(node, input, 3, 'query, key and value')
  const [batch, length] = node.shape(0) as [Dim, Dim, Dim]
  const [, , width] = node.shape(2) as [Dim, Dim, Dim]
  const heads = node.number('num_heads')
  if (heads < 1 || (typeof width === 'number' && width % heads !== 0)) {
    node.fail(`the width of the values, ${width}, is not a multiple of ${heads} heads`)
  }
  return [[batch, length, width]]
}

/** Attention operators of ONNX Runtime. */
export const attention = {
  MultiHeadAttention: {
    domain,
    // query [b, s, heads * d]; key, value [b, t, heads * d]; bias; padding of the keys; attention bias [b or 1, heads or 1, s, t]
    inputs: ['T', 'T', 'T', 'T?', 'int32?', 'T?'],
    outputs: ['T'],
    types: { T: floats },
    attributes: { num_heads: required('int'), scale: optional('float') },
    infer: multiHeadShape,
  },
  GroupQueryAttention: {
    domain,
    inputs: [
      'T',
      'T?',
      'T?', // query [b, s, heads * d]; key, value [b, s, kv heads * d]
      'C?',
      'C?', // past key, value [b, kv heads, past, d]; of 4 bits: [..., d / 2], two in a byte
      'int32',
      'int32', // total lengths - 1 per row; the largest total length
      'T?',
      'T?', // cosines, sines [positions, d / 2]
      'int64?',
      'T?',
      'T?', // positions; attention bias; head sink
      'float32?',
      'float32?',
      'T?',
      'T?', // scales of a quantized cache; weights of query and key norms
    ],
    outputs: ['T', 'C?', 'C?', 'T?'],
    types: { T: floats, C: [...floats, 'int8', 'uint8'] },
    attributes: {
      num_heads: required('int'),
      kv_num_heads: required('int'),
      scale: optional('float'),
      softcap: optional('float', 0),
      local_window_size: optional('int', -1),
      do_rotary: flag(0),
      rotary_interleaved: flag(0),
      smooth_softmax: optional('int', -1, [-1, 0, 1]),
      qk_output: optional('int', 0),
      causal: flag(1),
      k_quant_type: optional('string', 'NONE'),
      v_quant_type: optional('string', 'NONE'),
      kv_cache_bit_width: optional('int'),
      qk_norm_epsilon: optional('float'),
    },
    infer: groupQueryAttentionShape,
  },
  RotaryEmbedding: {
    domain,
    // input [b, heads, s, d] or [b, s, heads * d]; positions; cosines, sines [positions, d / 2]
    inputs: ['T', 'int64', 'T', 'T'],
    outputs: ['T'],
    types: { T: floats },
    attributes: {
      interleaved: flag(0),
      num_heads: optional('int', 0),
      rotary_embedding_dim: optional('int', 0),
      scale: optional('float', 1),
      is_packed_batching: flag(0),
    },
    infer: rotaryShape,
  },
} satisfies Record<string, OpRow>
