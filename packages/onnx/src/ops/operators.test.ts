import { InferenceSession, Tensor } from 'onnxruntime-node'
import { describe, expect, it } from 'vitest'
import { type CaseInput, type OperatorCase, operatorCases } from '../fixtures/operator-cases.ts'
import { Graph } from '../graph.ts'
import type { Value } from '../types.ts'
import { operators } from './table.ts'

function feed({ dtype, dims, data }: CaseInput): Tensor {
  if (dtype === 'int64') return new Tensor('int64', BigInt64Array.from(data.map(BigInt)), dims)
  if (dtype === 'float32') return new Tensor('float32', Float32Array.from(data), dims)
  const arrays = { int32: Int32Array, int8: Int8Array }
  return new Tensor(dtype as 'uint8', (arrays[dtype as 'int8'] ?? Uint8Array).from(data) as never, dims)
}

/** The graph of one case, its inputs declared by size or by name (`x0.1` for axis 1 of input 0). */
function build({ op, inputs, attributes, options }: OperatorCase, named: boolean) {
  const graph = new Graph('case')
  const sizes = new Map<string, number>()
  const values = inputs.map((input, i): Value | null => {
    if (!input) return null
    if (input.constant) return graph.constant(input.dtype, input.dims, input.data)
    const dims = input.dims.map((size, axis) => {
      sizes.set(`x${i}.${axis}`, size)
      return named ? `x${i}.${axis}` : size
    })
    return graph.input(`x${i}`, input.dtype, dims)
  })
  const outputs = graph.addAll(op, values, attributes as never, options)
  return { graph, sizes, outputs: outputs.map((value, i) => graph.output(`y${i}`, value)) }
}

const title = ({ op, inputs, attributes }: OperatorCase) =>
  `${op} ${inputs.map((input) => (input ? `[${input.dims}]` : '-')).join(' ')} ${JSON.stringify(attributes ?? {})}`

describe('operators', () => {
  it('all have a case', () => {
    const covered = new Set(operatorCases.map(({ op }) => op))
    expect(Object.keys(operators).filter((op) => !covered.has(op as never))).toEqual([])
  })

  it.each(operatorCases.map((one) => [title(one), one] as const))('%s', async (_, one) => {
    const feeds = Object.fromEntries(
      one.inputs.flatMap((input, i) => (input && !input.constant ? [[`x${i}`, feed(input)]] : [])),
    )
    // Shapes can only depend on what integer inputs hold.
    const decided = one.inputs.every((input) => !input || input.constant || !/^int/.test(input.dtype))
    for (const named of [false, true]) {
      let built: ReturnType<typeof build>
      try {
        built = build(one, named)
      } catch (error) {
        if (named && /pass options.shape/.test(String(error))) continue
        throw error
      }
      const { graph, sizes, outputs } = built
      const session = await InferenceSession.create(graph.toBytes(), { logSeverityLevel: 3, intraOpNumThreads: 1 })
      const results = await session.run(feeds)
      for (const { name, dtype, shape } of outputs) {
        const { type, dims } = results[name]!
        expect(type).toBe(dtype)
        if (decided && !named) expect(shape).toEqual(dims)
        // What is inferred must be true: known sizes are those of the result, names those of the input they name.
        const claimed = shape.map((dim, axis) => {
          if (typeof dim === 'number') return dim
          return dim.startsWith('?') ? dims[axis] : sizes.get(dim)
        })
        expect(claimed, `${named ? 'named' : 'sized'} ${name} [${shape.join(', ')}]`).toEqual(dims)
      }
    }
  })
})
