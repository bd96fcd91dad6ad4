/**
 * A model's norms on a device, with made-up values, against plain arithmetic in double precision: alone, and with the sum of the
 * residual stream that one operator makes beside them.
 * @module
 */
import { type ActivationType, emitNorm, type ModelDescription, type NormStep, type VectorBinding } from '@awq/models'
import { Graph, reshape, type Value } from '@awq/onnx'
import type { Engine } from '@awq/ort'
import { deviation, madeUp, tolerance, valuesOf } from './compare.ts'

/** Rows of input: a single token's, and those of a prompt. */
const counts = [1, 20] as const

/** The different norms of a model. */
const normKinds = ({ blocks, outer }: Pick<ModelDescription, 'blocks' | 'outer'>): NormStep[] => {
  const lists = [...new Set(blocks.map(({ steps }) => steps)), outer.embed.steps, outer.norm.steps, outer.logits.steps]
  const kinds = new Map<string, NormStep>()
  for (const step of lists.flat()) {
    if (step.step !== 'norm') continue
    const { from: _, to: __, weight, ...shape } = step
    kinds.set(JSON.stringify([shape, weight !== null]), step)
  }
  return [...kinds.values()]
}

/** Parameters that are made up, and what they are. */
const madeUpBinding = (dtype: ActivationType) => {
  const given = new Map<string, Float32Array>()
  const matrix = (graph: Graph, name: string, shape: readonly number[]): Value => {
    const length = shape.reduce((product, size) => product * size, 1)
    // The same ones each time they are asked for.
    const numbers = given.get(name) ?? madeUp(length, given.size)
    given.set(name, numbers)
    return graph.constant(dtype, shape, valuesOf(numbers, dtype, shape).data as Float32Array)
  }
  const vector: VectorBinding['vector'] = (graph, name, length) => matrix(graph, name, [length])
  return { given, binding: { vector, matrix, optionalVector: vector } satisfies VectorBinding }
}

/** One value of each element of a row: the parameter's, whether parts share it or have one each. */
const parameterOf = (step: NormStep, suffix: string, given: ReadonlyMap<string, Float32Array>, at: number): number => {
  const { parts = 1, width, weights = 'shared', weight } = step
  const part = width / parts
  if (weights === 'listed') return given.get(`${weight}.${Math.floor(at / part)}.${suffix}`)![at % part]!
  return given.get(`${weight}.${suffix}`)![weights === 'shared' ? at % part : at]!
}

/** The norm of rows, as `NormStep` states it. */
const normalise = (step: NormStep, rows: Float64Array, given: ReadonlyMap<string, Float32Array>): Float64Array => {
  const { norm, epsilon, width, parts = 1, weight, bias, offset } = step
  const size = width / parts
  const result = new Float64Array(rows.length)
  for (let start = 0; start < rows.length; start += size) {
    const part = rows.subarray(start, start + size)
    const mean = norm === 'rms' ? 0 : part.reduce((sum, x) => sum + x, 0) / size
    const square = part.reduce((sum, x) => sum + (x - mean) ** 2, 0) / size
    for (const [i, x] of part.entries()) {
      const at = (start + i) % width
      const scale = weight === null ? 1 : offset + parameterOf(step, 'weight', given, at)
      const shift = bias && weight !== null ? parameterOf(step, 'bias', given, at) : 0
      result[start + i] = ((x - mean) / Math.sqrt(square + epsilon)) * scale + shift
    }
  }
  return result
}

/** Adds a kind to a graph, reading `x<n>` and `y<n>`: the norm of the first, that of their sum, and the sum. */
const emitKind = (graph: Graph, n: number, step: NormStep, binding: VectorBinding, dtype: ActivationType): void => {
  const shape = [1, 'count', step.width]
  const left = graph.input(`x${n}`, dtype, shape)
  const right = graph.input(`y${n}`, dtype, shape)
  const put = (name: string, value: Value): void => {
    const wide = dtype === 'float32' ? value : graph.add('Cast', [value], { to: 'float32' })
    graph.output(name, reshape(graph, wide, [-1]))
  }
  put(`alone${n}`, emitNorm(graph, left, step, binding, true).normed)
  const { normed, residual } = emitNorm(graph, { left, right }, step, binding, true)
  put(`normed${n}`, normed)
  put(`sum${n}`, 'left' in residual ? graph.add('Add', [residual.left, residual.right]) : residual)
}

/**
 * Computes each kind of norm that a model has.
 * @returns what is computed wrong, in words; undefined when all is right
 * @throws AwqError ENGINE when the device can not compute it at all
 */
export const checkNorms = async (
  engine: Engine,
  description: Pick<ModelDescription, 'blocks' | 'outer'>,
  dtype: ActivationType,
  signal: AbortSignal | undefined,
): Promise<string | undefined> => {
  const graph = new Graph('norm-check')
  const kinds = normKinds(description).map((step, n) => {
    const { given, binding } = madeUpBinding(dtype)
    emitKind(graph, n, step, binding, dtype)
    return { step, given }
  })
  if (kinds.length === 0) return undefined
  await using session = await engine.createSession(graph.toBytes(), { signal })
  for (const count of counts) {
    const values = kinds.map(({ step }, n) => [0, 1].map((side) => madeUp(count * step.width, 2 * n + side)))
    const feeds = kinds.flatMap(({ step }, n) =>
      ['x', 'y'].map(
        (name, side) => [`${name}${n}`, valuesOf(values[n]![side]!, dtype, [1, count, step.width])] as const,
      ),
    )
    const made = await session.run(Object.fromEntries(feeds), { signal })
    for (const [n, { step, given }] of kinds.entries()) {
      const left = Float64Array.from(values[n]![0]!)
      const sum = left.map((x, i) => x + values[n]![1]![i]!)
      const expected = { alone: normalise(step, left, given), normed: normalise(step, sum, given), sum }
      for (const [name, right] of Object.entries(expected)) {
        const off = deviation(made[`${name}${n}`]!.data as Float32Array, right)
        if (off <= tolerance(dtype, false)) continue
        const what = name === 'alone' ? '' : ' of a sum'
        return `${step.norm} norm${what} of ${step.width} for ${count} row${count === 1 ? '' : 's'} of ${dtype} is off by ${off.toPrecision(2)} of its size`
      }
    }
  }
  return undefined
}
