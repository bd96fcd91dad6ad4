import type { Dim, Shape } from '../types.ts'
import { floats, indexTypes, type NodeView, type OpRow, optional, required } from './row.ts'
import { axisOf, equalDims, needRank } from './shape-rules.ts'

const domain = 'com.microsoft' as const
const blockSizes = [16, 32, 64, 128, 256] as const

/** Fails unless an input has one of the shapes. */
function oneOf(node: NodeView, input: number, shapes: readonly Shape[], what: string): void {
  const given = node.shapeIf(input)
  const fits = (shape: Shape) =>
    given?.length === shape.length && shape.every((dim, i) => typeof given[i] === 'string' || given[i] === dim)
  if (given && !shapes.some(fits)) {
    node.fail(
      `${what} must be ${shapes.map((shape) => `[${shape.join(', ')}]`).join(' or ')}, not [${given.join(', ')}]`,
    )
  }
}

function matMulNBitsShape(node: NodeView): Shape[] {
  const [k, n, bits, blockSize] = ['K', 'N', 'bits', 'block_size'].map((name) => node.number(name)) as [
    number,
    number,
    number,
    number,
  ]
  const shape = node.shape(0)
  if (shape.length === 0) node.fail('the input is a scalar')
  equalDims(node, shape.at(-1)!, k, "the input's last axis and K")
  const blocks = Math.ceil(k / blockSize)
  const packedZeros = Math.ceil((blocks * bits) / 8)
  oneOf(
    node,
    1,
    [
      [n, blocks, (blockSize * bits) / 8],
      [n, (blocks * blockSize * bits) / 8],
    ],
    'the packed codes',
  )
  oneOf(node, 2, [[n, blocks], [n * blocks]], 'the scales')
  const zeros = node.inputs[3]?.dtype === 'uint8' ? packedZeros : blocks
  oneOf(node, 3, [[n, zeros], [n * zeros]], 'the zero points')
  oneOf(node, 5, [[n]], 'the bias')
  return [[...shape.slice(0, -1), n]]
}

function gatherBlockQuantizedShape(node: NodeView): Shape[] {
  const data = node.shape(0)
  const axis = axisOf(node, node.number('gather_axis'), data.length)
  const quantized = axisOf(node, node.number('quantize_axis'), data.length)
  const blockSize = node.number('block_size')
  if (blockSize < 16 || !Number.isInteger(Math.log2(blockSize)))
    node.fail(`block_size ${blockSize} is no power of two from 16`)
  // Two 4-bit codes (four 2-bit ones) lie in one byte, along the last axis.
  const perByte = node.inputs[0]!.dtype === 'uint8' ? 8 / node.number('bits') : 1
  const unpacked = data.map((dim, i): Dim => {
    if (i !== data.length - 1 || perByte === 1) return dim
    return typeof dim === 'number' ? dim * perByte : node.fresh()
  })
  const size = unpacked[quantized]!
  const blocks = typeof size === 'number' ? Math.ceil(size / blockSize) : node.fresh()
  oneOf(node, 2, [unpacked.map((dim, i) => (i === quantized ? blocks : dim))], 'the scales')
  return [[...unpacked.slice(0, axis), ...node.shape(1), ...unpacked.slice(axis + 1)]]
}

/** Operators of ONNX Runtime on block-quantized weights (the layout of `packMatMulNBits`). */
export const quantized = {
  MatMulNBits: {
    domain,
    // A, B, scales, zero points (packed, or one value per block), group index (deprecated), bias
    inputs: ['T', 'uint8', 'T', 'Z?', 'int32?', 'T?'],
    outputs: ['T'],
    types: { T: floats, Z: ['uint8', 'float32', 'float16', 'bfloat16'] },
    attributes: {
      K: required('int'),
      N: required('int'),
      bits: optional('int', 4, [2, 4, 8]),
      block_size: required('int', blockSizes),
      // 0 and 1 compute in float32, 4 rounds activations to int8. WebGPU takes 4 when it is absent: it must be given.
      accuracy_level: required('int', [0, 1, 2, 3, 4]),
      weight_prepacked: optional('int', 0, [0, 1, 2]),
    },
    infer: matMulNBitsShape,
  },
  GatherBlockQuantized: {
    domain,
    inputs: ['uint8', 'I', 'T', 'uint8?'],
    outputs: ['T'],
    types: { T: floats, I: indexTypes },
    attributes: {
      bits: optional('int', 4, [2, 4, 8]),
      block_size: optional('int', 128),
      gather_axis: optional('int', 0, [0]),
      quantize_axis: optional('int', 1),
    },
    infer: gatherBlockQuantizedShape,
  },
  QMoE: {
    domain,
    // input, router logits, then weights, scales, bias of fc1, fc2, fc3, their zero points, and router weights
    inputs: [
      'T',
      'T',
      'uint8',
      'S',
      'T?',
      'uint8',
      'S',
      'T?',
      'uint8?',
      'S?',
      'T?',
      'uint8?',
      'uint8?',
      'uint8?',
      'T?',
    ],
    outputs: ['T'],
    types: { T: floats, S: floats },
    attributes: {
      k: optional('int', 1),
      activation_type: optional('string', 'relu', ['relu', 'gelu', 'silu', 'swiglu', 'identity']),
      activation_alpha: optional('float', 1),
      activation_beta: optional('float', 0),
      swiglu_fusion: optional('int', 0, [0, 1, 2]),
      swiglu_limit: optional('float'),
      normalize_routing_weights: optional('int', 0, [0, 1]),
      use_sparse_mixer: optional('int', 0, [0, 1]),
      expert_weight_bits: optional('int', 4, [2, 4, 8]),
      block_size: optional('int'),
      quant_type: optional('string', 'int'),
      weights_prepacked: optional('int', -1, [-1, 0, 1]),
    },
    infer: (node) => {
      needRank(node, 0, [2, 3], 'the input')
      needRank(node, 1, 2, 'the router logits')
      for (const input of [2, 5, 8]) needRank(node, input, 3, 'expert weights')
      const experts = node.shape(1)[1]!
      for (const input of [2, 3, 5, 6]) equalDims(node, node.shape(input)[0]!, experts, 'numbers of experts')
      return [node.shape(0)]
    },
  },
} satisfies Record<string, OpRow>
