import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { float32, refused, runGraph } from './fixtures/run.ts'
import { Graph } from './graph.ts'
import { int64s } from './pieces/constants.ts'
import { reshape, slice } from './pieces/layout.ts'

const start = (...shape: (number | string)[]) => {
  const graph = new Graph('shapes')
  return { graph, x: graph.input('x', 'float32', shape) }
}

/** Unknown dimensions shown as `?`, whatever their number. */
const shown = (shape: readonly (number | string)[]) =>
  shape.map((dim) => (typeof dim === 'string' && dim.startsWith('?') ? '?' : dim))

describe('broadcasting with names', () => {
  it.each([
    [
      ['b', 's', 8],
      ['b', 's', 8],
      ['b', 's', 8],
    ],
    [['b', 's', 8], [8], ['b', 's', 8]],
    [
      ['b', 1, 8],
      ['b', 's', 1],
      ['b', 's', 8],
    ],
    [
      ['b', 8],
      ['c', 8],
      ['?', 8],
    ],
    [
      ['b', 8],
      [4, 's'],
      [4, 8],
    ],
    [
      [0, 8],
      [1, 8],
      [0, 8],
    ],
    [[], ['n'], ['n']],
  ])('%j and %j give %j', (a, b, expected) => {
    const { graph, x } = start(...a)
    expect(shown(graph.add('Add', [x, graph.input('y', 'float32', b)]).shape)).toEqual(expected)
  })

  it('agrees with ONNX Runtime, or refuses with it', async () => {
    const dims = fc.array(fc.constantFrom(1, 2, 3), { maxLength: 3 })
    const count = (shape: number[]) => shape.reduce((a, b) => a * b, 1)
    await fc.assert(
      fc.asyncProperty(dims, dims, async (a, b) => {
        const feeds = {
          x: float32(Array(count(a)).fill(1), a),
          y: float32(Array(count(b)).fill(1), b),
        }
        const named = (shape: number[], prefix: string) => shape.map((_, axis) => `${prefix}${axis}`)
        const open = start(...named(a, 'a'))
        open.graph.output('z', open.graph.add('Add', [open.x, open.graph.input('y', 'float32', named(b, 'b'))]))
        const sized = start(...a)
        const y = sized.graph.input('y', 'float32', b)
        const result = await runGraph(open.graph, feeds).catch(() => null)
        if (result) expect(sized.graph.add('Add', [sized.x, y]).shape).toEqual(result.z!.dims)
        else expect(refused(() => sized.graph.add('Add', [sized.x, y])).message).toContain('do not broadcast')
      }),
      { numRuns: 60 },
    )
  })
})

describe('Reshape with names', () => {
  it.each([
    [
      ['b', 's', 576],
      [0, 0, 9, 64],
      ['b', 's', 9, 64],
    ],
    [
      ['b', 's', 576],
      [0, 0, -1, 64],
      ['b', 's', 9, 64],
    ],
    [
      ['b', 's', 9, 64],
      [0, 0, -1],
      ['b', 's', 576],
    ],
    [
      ['s', 64],
      [-1, 64],
      ['s', 64],
    ],
    [
      ['b', 's', 64],
      [-1, 64],
      ['?', 64],
    ],
    [
      ['b', 's', 64],
      [0, -1],
      ['b', '?'],
    ],
    [['s', 64], [-1], ['?']],
    [
      [6, 4],
      [-1, 8],
      [3, 8],
    ],
    [[6, 4], [], null],
    [[6, 4], [5, -1], null],
    [[6, 4], [23], null],
    [['s', 6], [0, 4], null],
    [['s', 6], [0, -1, 4], null],
    [[6, 4], [-1, -1], null],
    [[6, 4], [-2, 12], null],
    [[6, 4], [0, 0, 0], null],
  ])('%j to %j gives %j', (shape, target, expected) => {
    const { graph, x } = start(...shape)
    if (expected) expect(shown(reshape(graph, x, target).shape)).toEqual(expected)
    else expect(refused(() => reshape(graph, x, target)).code).toBe('INVALID_ARGUMENT')
  })

  it('follows shapes that the graph computes', () => {
    const { graph, x } = start('b', 's', 576)
    const size = graph.add('Shape', [x])
    const batch = graph.add('Gather', [size, int64s(graph, [0])])
    const length = slice(graph, size, { axis: 0, start: 1, end: 2 })
    const width = graph.add('Div', [slice(graph, size, { axis: 0, start: 2 }), int64s(graph, [64])])
    const target = graph.add('Concat', [batch, length, width, int64s(graph, [64])], { axis: 0 })
    expect(graph.add('Reshape', [x, target]).shape).toEqual(['b', 's', 9, 64])
    const positions = graph.add('Range', [
      graph.constant('int64', [], [0]),
      graph.add('Squeeze', [length, int64s(graph, [0])]),
      graph.constant('int64', [], [1]),
    ])
    expect(positions.shape).toEqual(['s'])
    expect(graph.add('Expand', [graph.constant('float32', [], [1]), target]).shape).toEqual(['b', 's', 9, 64])
    expect(graph.add('ConstantOfShape', [batch]).shape).toEqual(['b'])
  })

  it('takes the shape from the caller when nothing tells it', () => {
    const { graph, x } = start('b', 's', 576)
    const target = graph.input('target', 'int64', ['rank'])
    expect(refused(() => graph.add('Reshape', [x, target])).message).toContain('options.shape')
    expect(graph.add('Reshape', [x, target], {}, { shape: ['b', 'n'] }).shape).toEqual(['b', 'n'])
  })
})

describe('options.shape', () => {
  it('names unknown sizes and settles named ones', () => {
    const { graph, x } = start('b', 's', 8)
    const past = graph.input('past', 'float32', ['b', 'past', 8])
    const open = graph.add('Concat', [past, x], { axis: 1 })
    expect(shown(open.shape)).toEqual(['b', '?', 8])
    expect(graph.add('Concat', [past, x], { axis: 1 }, { shape: ['b', 'total', 8] }).shape).toEqual(['b', 'total', 8])
    expect(graph.add('Neg', [x], {}, { shape: [1, 's', 8] }).shape).toEqual([1, 's', 8])
    expect(graph.add('Neg', [x], {}, { shape: open.shape }).shape).toEqual(['b', 's', 8])
  })

  it.each([[['b', 's', 9]], [['b', 's']], [['b', 's', 8, 1]]])('%j contradicts [b, s, 8]', (shape) => {
    const { graph, x } = start('b', 's', 8)
    expect(refused(() => graph.add('Neg', [x], {}, { shape })).message).toContain('contradicts')
  })
})

describe('contradictions', () => {
  const constants = (graph: Graph) => ({
    weight: graph.constant('float32', [64], new Float32Array(64)),
    codes: graph.input('codes', 'uint8', [8, 4, 16]),
    scales: graph.input('scales', 'float32', [8, 4]),
  })
  const attributes = { K: 128, N: 8, bits: 4, block_size: 32, accuracy_level: 0 } as const
  it.each<[string, (graph: Graph, given: ReturnType<typeof constants>) => unknown, RegExp]>([
    [
      'a norm weight of another width',
      (graph, { weight }) =>
        graph.add('SimplifiedLayerNormalization', [graph.input('y', 'float32', ['s', 128]), weight]),
      /sizes 128 and 64 do not broadcast/,
    ],
    [
      'an input MatMulNBits has no K for',
      (graph, { codes, scales }) =>
        graph.add('MatMulNBits', [graph.input('y', 'float32', ['s', 64]), codes, scales], attributes),
      /the input's last axis and K differ: 64 and 128/,
    ],
    [
      'codes of another block size',
      (graph, { codes, scales }) =>
        graph.add('MatMulNBits', [graph.input('y', 'float32', ['s', 128]), codes, scales], {
          ...attributes,
          block_size: 64,
        }),
      /the packed codes must be \[8, 2, 32\] or \[8, 64\], not \[8, 4, 16\]/,
    ],
    [
      'zero points of a wrong width',
      (graph, { codes, scales }) => {
        const inputs = [graph.input('y', 'float32', ['s', 128]), codes, scales, graph.input('z', 'uint8', [8, 4])]
        return graph.add('MatMulNBits', inputs, attributes)
      },
      /the zero points must be \[8, 2\]/,
    ],
    [
      'heads that do not divide',
      (graph) => {
        const q = graph.input('q', 'float32', [1, 's', 64])
        const k = graph.input('k', 'float32', [1, 's', 32])
        const length = graph.input('length', 'int32', [1])
        const total = graph.input('total', 'int32', [])
        const inputs = [q, k, k, null, null, length, total]
        return graph.add('GroupQueryAttention', inputs, { num_heads: 8, kv_num_heads: 2 })
      },
      /the width of the key and kv_num_heads heads differ: 32 and 16/,
    ],
    [
      'a cache of 4 bits as wide as one of 8',
      (graph) => {
        const q = graph.input('q', 'float32', [1, 's', 64])
        const past = graph.input('past', 'uint8', [1, 1, 'c', 16])
        const length = graph.input('length', 'int32', [1])
        const total = graph.input('total', 'int32', [])
        const inputs = [q, null, null, past, past, length, total]
        return graph.add('GroupQueryAttention', inputs, { num_heads: 2, kv_num_heads: 1, kv_cache_bit_width: 4 })
      },
      /is not \[batch, 1, past, 8\]/,
    ],
    [
      'split sizes that do not add up',
      (graph, { weight }) => graph.addAll('Split', [weight, int64s(graph, [32, 16])]),
      /\[32, 16\] do not add up to 64/,
    ],
    [
      'a gather outside',
      (graph, { weight }) => graph.add('Gather', [weight, int64s(graph, [64])]),
      /index 64 lies outside/,
    ],
    ['a squeeze of 64', (graph, { weight }) => graph.add('Squeeze', [weight, int64s(graph, [0])]), /size 64, not 1/],
    [
      'Concat of different widths',
      (graph, { weight, scales }) =>
        graph.add('Concat', [scales, graph.add('Reshape', [weight, int64s(graph, [8, 8])])], { axis: 0 }),
      /sizes 4 and 8 of axis 1 differ/,
    ],
    [
      'one axis twice',
      (graph, { scales }) => graph.add('ReduceSum', [scales, int64s(graph, [1, -1])]),
      /one axis twice/,
    ],
    ['an ellipsis', (graph, { scales }) => graph.add('Einsum', [scales], { equation: '...i->i' }), /not supported/],
  ])('%s', (_, act, message) => {
    const graph = new Graph('wrong')
    expect(refused(() => act(graph, constants(graph))).message).toMatch(message)
  })
})
