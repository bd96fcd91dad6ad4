import { fromBinary } from '@bufbuild/protobuf'
import { ModelProtoSchema } from 'onnx-buf'
import { describe, expect, it } from 'vitest'
import { float32, refused, runGraph } from './fixtures/run.ts'
import { Graph } from './graph.ts'

describe('Graph', () => {
  it('writes a graph that ONNX Runtime runs', async () => {
    const graph = new Graph('tiny')
    const x = graph.input('x', 'float32', ['rows', 3])
    const weight = graph.constant('float32', [3, 2], [1, 0, 0, 1, 2, 2])
    const product = graph.add('MatMul', [x, weight])
    expect(product.shape).toEqual(['rows', 2])
    graph.output('y', graph.add('Add', [product, graph.constant('float32', [], [10])]))
    const { y } = await runGraph(graph, { x: float32([1, 2, 3, 4, 5, 6], [2, 3]) })
    expect(y!.dims).toEqual([2, 2])
    expect([...y!.data]).toEqual([17, 18, 26, 27])
  })

  it('writes the same bytes for the same graph', () => {
    const build = () => {
      const graph = new Graph('same')
      graph.output('y', graph.add('Exp', [graph.input('x', 'float32', ['n'])]))
      return graph.toBytes()
    }
    expect(build()).toEqual(build())
  })

  it('declares operator set 21, com.microsoft 1 and IR 10', () => {
    const graph = new Graph('versions')
    graph.output('y', graph.add('QuickGelu', [graph.input('x', 'float32', [1])]))
    const model = fromBinary(ModelProtoSchema, graph.toBytes())
    expect(model.irVersion).toBe(10n)
    expect(model.opsetImport.map(({ domain, version }) => [domain, version])).toEqual([
      ['', 21n],
      ['com.microsoft', 1n],
    ])
    expect(model.graph?.node[0]?.domain).toBe('com.microsoft')
  })
})

describe('Graph.output', () => {
  it('renames the value instead of copying it', async () => {
    const graph = new Graph('renamed')
    const x = graph.input('x', 'float32', [2])
    const double = graph.add('Add', [x, x])
    const four = graph.add('Mul', [double, double])
    const y = graph.output('double', double)
    graph.output('sum', graph.add('Add', [y, four]))
    expect(graph.nodes.map(({ op, outputs }) => [op, ...outputs])).toEqual([
      ['Add', 'double'],
      ['Mul', 'Mul_0'],
      ['Add', 'sum'],
    ])
    const results = await runGraph(graph, { x: float32([1, 3], [2]) })
    expect([...results.double!.data]).toEqual([2, 6])
    expect([...results.sum!.data]).toEqual([6, 42])
  })

  it('copies inputs, constants and values that are outputs already', async () => {
    const graph = new Graph('copied')
    const x = graph.input('x', 'float32', [1])
    const y = graph.output('y', graph.add('Neg', [x]))
    graph.output('again', y)
    graph.output('same', x)
    graph.output('seven', graph.constant('float32', [1], [7]))
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Neg', 'Identity', 'Identity', 'Identity'])
    const results = await runGraph(graph, { x: float32([2], [1]) })
    const data = Object.entries(results).map(([name, { data }]) => [name, data[0]])
    expect(Object.fromEntries(data)).toEqual({ y: -2, again: -2, same: 2, seven: 7 })
  })

  it('takes a name the value has already, and frees the old one', () => {
    const graph = new Graph('names')
    const x = graph.input('x', 'float32', [1])
    graph.output('y', graph.add('Neg', [x], {}, { name: 'y' }))
    graph.output('z', graph.add('Neg', [x], {}, { name: 'free' }))
    expect(graph.add('Abs', [x], {}, { name: 'free' }).name).toBe('free')
  })
})

describe('Graph refuses', () => {
  const fresh = () => {
    const graph = new Graph('block')
    return { graph, x: graph.input('x', 'float32', ['rows', 128]) }
  }

  it('contradicting shapes, naming graph, node, operator and shapes', () => {
    const { graph, x } = fresh()
    const y = graph.input('y', 'float32', [64, 32])
    const error = refused(() => graph.add('MatMul', [x, y], {}, { name: 'q_proj' }))
    expect(error.code).toBe('INVALID_ARGUMENT')
    for (const part of ["'block'", "'q_proj'", 'MatMul', '128 and 64', 'float32[rows, 128]', 'float32[64, 32]']) {
      expect(error.message).toContain(part)
    }
  })

  it.each<[string, (setup: ReturnType<typeof fresh>) => unknown, RegExp]>([
    ['a name twice', ({ graph }) => graph.input('x', 'float32', []), /'x': the name is taken/],
    ['an output name twice', ({ graph, x }) => graph.output('x', graph.add('Neg', [x])), /'x': the name is taken/],
    ['a node name twice', ({ graph, x }) => graph.add('Neg', [x], {}, { name: 'x' }), /'x': the name is taken/],
    ['an empty name', ({ graph }) => graph.input('', 'float32', []), /is not a name/],
    ['a name with a space', ({ graph }) => graph.input('a b', 'float32', []), /is not a name/],
    ['a name that starts with a digit', ({ graph }) => graph.input('1a', 'float32', []), /is not a name/],
    ['a graph without a proper name', () => new Graph('?'), /is not a name/],
    ['a negative size', ({ graph }) => graph.input('y', 'float32', [-1]), /-1 of \[-1\] is not a dimension/],
    ['a fractional size', ({ graph }) => graph.input('y', 'float32', [1.5]), /is not a dimension/],
    ['an unknown size of elsewhere', ({ graph }) => graph.input('y', 'float32', ['?1']), /is not a dimension/],
    ['an empty dimension name', ({ graph }) => graph.input('y', 'float32', ['']), /is not a dimension/],
    [
      'an unknown element type',
      ({ graph }) => graph.input('y', 'float' as never, []),
      /'float' is not an element type/,
    ],
    ['a value of another graph', ({ graph }) => graph.add('Neg', [fresh().x]), /'x' belongs to another graph/],
    ['a copied value', ({ graph, x }) => graph.output('y', { ...x }), /belongs to another graph/],
    ['an unknown operator', ({ graph, x }) => graph.add('Conv' as never, [x]), /operator 'Conv': is not in the table/],
    ['an inherited operator', ({ graph, x }) => graph.add('toString' as never, [x]), /is not in the table/],
    ['too few inputs', ({ graph, x }) => graph.add('Add', [x]), /takes at least 2 inputs, 1 given/],
    ['too many inputs', ({ graph, x }) => graph.add('Neg', [x, x]), /takes at most 1 inputs, 2 given/],
    ['an absent input that is needed', ({ graph, x }) => graph.add('Add', [null, x]), /input 0 may not be left out/],
    ['a type it does not take', ({ graph, x }) => graph.add('Not', [x]), /input 0 must be bool, not float32/],
    [
      'two types where one is needed',
      ({ graph, x }) => graph.add('Add', [x, graph.constant('int64', [], [1])]),
      /input 1 must be float32 like the one before, not int64/,
    ],
    [
      'an attribute that does not exist',
      // @ts-expect-error MatMul has no attributes
      ({ graph, x }) => graph.add('MatMul', [x, x], { transB: 1 }),
      /no attribute 'transB' \(known: none\)/,
    ],
    [
      'an attribute of the wrong type',
      // @ts-expect-error an axis is a number
      ({ graph, x }) => graph.add('Softmax', [x], { axis: '1' }),
      /'axis' must be an integer, not "1"/,
    ],
    ['a fractional integer', ({ graph, x }) => graph.add('Softmax', [x], { axis: 0.5 }), /'axis' must be an integer/],
    ['a NaN', ({ graph, x }) => graph.add('LeakyRelu', [x], { alpha: Number.NaN }), /'alpha' must be a number/],
    ['a flag of 2', ({ graph, x }) => graph.add('ArgMax', [x], { keepdims: 2 }), /'keepdims' must be one of 0, 1/],
    // @ts-expect-error the axis is required
    ['a missing attribute', ({ graph, x }) => graph.add('Concat', [x], {}), /attribute 'axis' is required/],
    [
      'a type by its number',
      // @ts-expect-error types are given by name
      ({ graph, x }) => graph.add('Cast', [x], { to: 1 }),
      /'to' must be an element type such as 'float32', not 1/,
    ],
    [
      'an axis outside the rank',
      ({ graph, x }) => graph.add('Softmax', [x], { axis: 2 }),
      /axis 2 lies outside rank 2/,
    ],
    ['more outputs than there are', ({ graph, x }) => graph.addAll('Neg', [x], {}, { outputs: 2 }), /has 1 outputs, 2/],
    ['no outputs', ({ graph, x }) => graph.addAll('Neg', [x], {}, { outputs: 0 }), /0 were asked for/],
    [
      'a wrong number of parts',
      ({ graph, x }) => graph.addAll('Split', [x], { axis: 1, num_outputs: 3 }, { outputs: 2 }),
      /gives 3 outputs, 2 were asked for/,
    ],
    [
      'a promised shape that contradicts',
      ({ graph, x }) => graph.add('Neg', [x], {}, { shape: ['rows', 64] }),
      /options.shape \[rows, 64\] contradicts the inferred \[rows, 128\]/,
    ],
    ['a constant of the wrong length', ({ graph }) => graph.constant('float32', [2], [1]), /takes 2 elements, 1 given/],
    [
      'a constant that does not fit',
      ({ graph }) => graph.constant('uint8', [1], [256]),
      /256 at index 0 is not a value of uint8/,
    ],
    ['a bool of 2', ({ graph }) => graph.constant('bool', [1], [2]), /is not a value of bool/],
    ['a fractional int64', ({ graph }) => graph.constant('int64', [1], [0.5]), /0.5 is not an int64/],
    ['an int64 past 2^63', ({ graph }) => graph.constant('int64', [1], [2n ** 63n]), /is not an int64/],
    ['a constant past 256 MiB', ({ graph }) => graph.constant('uint8', [2 ** 29], { length: 2 ** 29 }), /external/],
    ['a graph without output', ({ graph }) => graph.toBytes(), /has no output/],
    [
      'a node that nothing uses',
      ({ graph, x }) => {
        graph.output('y', graph.add('Neg', [x]))
        graph.add('Exp', [x], {}, { name: 'lost' })
        return graph.toBytes()
      },
      /node 'lost' \(Exp\): nothing uses its outputs/,
    ],
  ])('%s', (_, act, message) => {
    const error = refused(() => act(fresh()))
    expect(error.message).toMatch(message)
    expect(['INVALID_ARGUMENT', 'UNSUPPORTED']).toContain(error.code)
  })
})

describe('Graph.constant', () => {
  it('writes every element type as given', async () => {
    const graph = new Graph('constants')
    const cases = [
      ['float32', [0.5, -2], [0.5, -2]],
      ['float16', [0.1, 65504], [0.0999755859375, 65504]],
      ['float64', [1 / 3, 1e300], [1 / 3, Number.POSITIVE_INFINITY]],
      ['int64', [-1n, 2n ** 40n], [-1, 2 ** 40]],
      ['int32', [-(2 ** 31), 7], [-(2 ** 31), 7]],
      ['uint8', [0, 255], [0, 255]],
      ['int8', [-128, 127], [-128, 127]],
      ['bool', [1, 0], [1, 0]],
    ] as const
    for (const [dtype, data] of cases) {
      graph.output(dtype, graph.add('Cast', [graph.constant(dtype, [2], data as readonly number[])], { to: 'float32' }))
    }
    const bits = graph.constant('float16', [1], Uint16Array.of(0x3c00))
    graph.output('bits', graph.add('Cast', [bits], { to: 'float32' }))
    const results = await runGraph(graph)
    for (const [dtype, , expected] of cases)
      expect([...results[dtype]!.data], dtype).toEqual([...expected.map(Math.fround)])
    expect([...results.bits!.data]).toEqual([1])
  })

  it('leaves out what nothing uses', () => {
    const graph = new Graph('unused')
    graph.constant('float32', [1], [1])
    graph.external('w', 'float32', [1], { file: 'missing.bin', offset: 0, length: 4 })
    graph.output('y', graph.add('Neg', [graph.input('x', 'float32', [1])]))
    expect(fromBinary(ModelProtoSchema, graph.toBytes()).graph?.initializer).toEqual([])
    expect(graph.externals).toEqual([])
  })

  it('copies the data it is given', async () => {
    const data = Float32Array.of(1)
    const graph = new Graph('copied')
    graph.output('y', graph.add('Neg', [graph.constant('float32', [1], data)]))
    data[0] = 5
    const { y } = await runGraph(graph)
    expect([...y!.data]).toEqual([-1])
  })
})
