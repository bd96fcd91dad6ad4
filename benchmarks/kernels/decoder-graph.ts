/**
 * The graph that a decoder runs, of random weights, with the choices that the benchmarks compare.
 * @module
 */
import { Graph, int64s, type Value } from '@awq/onnx'
import { shapes } from '../runtime/shapes.ts'
import { emitLinear, type LinearForm } from './linear.ts'
import { type RandomWeights, randomWeights } from './random-weights.ts'

/** What is compared. */
export interface DecoderForm {
  readonly linears: LinearForm
  readonly head: LinearForm
  /** How keys and values are stored; float16 makes all activations float16. */
  readonly cache: 'float32' | 'float16' | 'int8' | 'int4'
  /** Numbers that share a scale in a cache of integers: one channel of one head, or all. */
  readonly cacheScales: 'PER_CHANNEL' | 'PER_TENSOR'
  /** A head sink of -1e30 changes no result and makes the kernel leave its flash path. */
  readonly flash: boolean
  /** The kernel's scale of the scores is 1 and the rotary tables hold it instead. */
  readonly scaleInTables: boolean
}

/** What the decoder of this library uses today. */
export const usualForm: DecoderForm = {
  linears: { bits: 4, block: 64, symmetric: false },
  head: { bits: 8, block: 64, symmetric: false },
  cache: 'float32',
  cacheScales: 'PER_CHANNEL',
  flash: true,
  scaleInTables: false,
}

/** The sizes that a graph depends on. */
export interface Sizes {
  readonly hidden: number
  readonly inner: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly vocabulary: number
}

/** The sizes of a known shape. Throws when there is none of that name. */
export const sizesOf = (name: string): Sizes => {
  const config = shapes[name] as Readonly<Record<string, number>> | undefined
  if (!config) throw new Error(`no shape '${name}'; there are ${Object.keys(shapes).join(', ')}`)
  return {
    hidden: config.hidden_size!,
    inner: config.intermediate_size!,
    layers: config.num_hidden_layers!,
    heads: config.num_attention_heads!,
    kvHeads: config.num_key_value_heads!,
    headDim: config.head_dim!,
    vocabulary: config.vocab_size!,
  }
}

/** `[kvHeads, capacity, width]` of one layer's keys or values: a cache of 4 bits has two numbers in a byte. */
export const cacheWidth = (sizes: Sizes, form: DecoderForm): number =>
  form.cache === 'int4' ? sizes.headDim / 2 : sizes.headDim

/** Element type of the cache. */
export const cacheType = ({ cache }: DecoderForm): 'float32' | 'float16' | 'int8' | 'uint8' =>
  cache === 'int4' ? 'uint8' : cache

/** What all layers share. */
interface Shared {
  readonly last: Value
  readonly total: Value
  readonly cos: Value
  readonly sin: Value
  readonly sink: Value | null
  readonly cacheScale: Value | null
}

const attentionAttributes = (sizes: Sizes, form: DecoderForm) => ({
  num_heads: sizes.heads,
  kv_num_heads: sizes.kvHeads,
  do_rotary: 1,
  ...(form.scaleInTables ? { scale: 1 } : {}),
  ...(form.cache.startsWith('int')
    ? {
        k_quant_type: form.cacheScales,
        v_quant_type: form.cacheScales,
        kv_cache_bit_width: form.cache === 'int8' ? 8 : 4,
      }
    : {}),
})

const declareShared = (graph: Graph, weights: RandomWeights, sizes: Sizes, form: DecoderForm, capacity: number) => {
  const { heads, kvHeads, headDim } = sizes
  const activations = form.cache === 'float16' ? 'float16' : 'float32'
  const table = (name: string) =>
    weights.filled(name, activations, [capacity, headDim / 2], (form.scaleInTables ? headDim ** -0.25 : 1) / Math.SQRT2)
  const perChannel = form.cacheScales === 'PER_CHANNEL'
  const shared: Shared = {
    last: graph.input('last', 'int32', [1]),
    total: graph.input('total', 'int32', []),
    cos: table('cos'),
    sin: table('sin'),
    sink: form.flash ? null : graph.constant(activations, [heads], new Float32Array(heads).fill(-1e30)),
    cacheScale: form.cache.startsWith('int')
      ? weights.filled('cache.scale', 'float32', perChannel ? [kvHeads, 1, headDim] : [1], 0.03)
      : null,
  }
  return { shared, activations } as const
}

/** A graph and its weights. */
export interface RandomDecoder {
  readonly model: Uint8Array
  readonly files: Readonly<Record<string, Uint8Array>>
  /** Bytes of weights that one step reads. */
  readonly bytes: number
}

/**
 * The decoder: ids, `last` (tokens less one), `total` (tokens), and each layer's cache in; logits of the last token and
 * the caches out. Packed projections, fused attention, sums joined with norms: as `emitDecoder` of @awq/models.
 */
export const randomDecoder = (sizes: Sizes, form: DecoderForm, capacity: number): RandomDecoder => {
  const { hidden, inner, layers, heads, kvHeads, headDim, vocabulary } = sizes
  const graph = new Graph('random-decoder')
  const weights = randomWeights(graph)
  const ids = graph.input('ids', 'int64', [1, 'sequence'])
  const { shared, activations } = declareShared(graph, weights, sizes, form, capacity)
  const table = weights.codes('embedding.codes', [vocabulary, hidden])
  const tableScales = weights.filled('embedding.scales', activations, [vocabulary, hidden / 32], 1 / 74)
  const notRead = weights.bytes
  let x = graph.add('GatherBlockQuantized', [table, ids, tableScales], { bits: 8, block_size: 32 })
  let pending: Value | null = null
  const norm = (name: string): Value => {
    const ones = weights.filled(name, activations, [hidden], 1)
    if (!pending) return graph.add('SimplifiedLayerNormalization', [x, ones], { epsilon: 1e-5 })
    const options = { outputs: [true, false, false, true] }
    const parts = graph.addAll('SkipSimplifiedLayerNormalization', [x, pending, ones], { epsilon: 1e-5 }, options)
    x = parts[1]!
    return parts[0]!
  }
  const linear = (input: Value, size: readonly [number, number], name: string) =>
    emitLinear(graph, weights, input, size, form.linears, name)
  for (let layer = 0; layer < layers; layer++) {
    const cache = (kind: string) =>
      graph.input(`past.${layer}.${kind}`, cacheType(form), [1, kvHeads, capacity, cacheWidth(sizes, form)])
    const packed = linear(norm(`layer.${layer}.norm1`), [hidden, (heads + 2 * kvHeads) * headDim], `layer.${layer}.qkv`)
    const { last, total, cos, sin, sink, cacheScale } = shared
    const [mixed, key, value] = graph.addAll(
      'GroupQueryAttention',
      [
        ...[packed, null, null, cache('key'), cache('value'), last, total, cos, sin],
        ...[null, null, sink, cacheScale, cacheScale],
      ],
      attentionAttributes(sizes, form),
      { outputs: 3 },
    )
    graph.output(`present.${layer}.key`, key!)
    graph.output(`present.${layer}.value`, value!)
    pending = linear(mixed!, [heads * headDim, hidden], `layer.${layer}.o`)
    const both = linear(norm(`layer.${layer}.norm2`), [hidden, 2 * inner], `layer.${layer}.gate-up`)
    const [gate, up] = graph.addAll('Split', [both, int64s(graph, [inner, inner])], { axis: -1 }, { outputs: 2 })
    const active = graph.add('Mul', [graph.add('QuickGelu', [gate!], { alpha: 1 }), up!])
    pending = linear(active, [inner, hidden], `layer.${layer}.down`)
  }
  const normed = norm('norm')
  const end = [int64s(graph, [-1]), int64s(graph, [2 ** 31 - 1]), int64s(graph, [1])]
  const lastRow = graph.add('Slice', [normed, ...end], {}, { shape: [1, 1, hidden] })
  const logits = emitLinear(graph, weights, lastRow, [hidden, vocabulary], form.head, 'head')
  graph.output('logits', activations === 'float16' ? graph.add('Cast', [logits], { to: 'float32' }) : logits)
  return { model: graph.toBytes(), files: weights.files, bytes: weights.bytes - notRead }
}
