/**
 * Mixtures of experts by one operator on a device, against plain arithmetic in double precision: parts of the matrices of some
 * experts of the model, so that little is read.
 * @module
 */
import { type ActivationType, expertName, type LinearSpec } from '@awq/models'
import { Graph, reshape } from '@awq/onnx'
import type { Engine } from '@awq/ort'
import type { FileRange, Folder } from '@awq/tensor'
import { emitOperator, type OperatorMixture } from '../mixture-operator.ts'
import { plainLinks } from '../weight-links.ts'
import type { PackedMatrix } from '../weight-table.ts'
import { deviation, madeUp, tolerance, valuesOf } from './compare.ts'
import { dequantizeRows, type KindBytes, readRange } from './quantized-check.ts'

/** Columns and rows of a matrix that are taken at most: whole blocks, of which a row has several. */
const mostWidth = 512
/** Experts whose bytes are read; further ones are made of the same rows in another order. */
const mostRead = 4
/** The file that the parts lie in. */
const file = 'mixture'

/** The kinds among mixtures: what the operator and its kernels depend on. */
const kindsOf = (mixtures: readonly OperatorMixture[]): OperatorMixture[] => {
  const kinds = new Map<string, OperatorMixture>()
  for (const mixture of mixtures) {
    const { experts, chosen, first, down } = mixture
    const layout = [...first, down].map(([matrix]) => {
      const { shape, storedBits, blockSize, zeroPoints } = matrix!
      return [shape, storedBits, blockSize, zeroPoints !== null]
    })
    const { alpha, beta, limit } = experts
    const biases = [...experts.first, experts.down].map(({ bias }) => bias)
    const key = JSON.stringify([layout, chosen, down.length, alpha, beta, limit, biases])
    if (!kinds.has(key)) kinds.set(key, mixture)
  }
  return [...kinds.values()]
}

const bytesOf = (columns: number, bits: number): number => Math.ceil((columns * bits) / 8)

/** Rows of so many bytes cut to their beginnings, beginning with row `shift`. */
const cutRows = (bytes: Uint8Array, rows: number, part: number, shift: number): Uint8Array => {
  const whole = bytes.length / rows
  const result = new Uint8Array(rows * part)
  for (let row = 0; row < rows; row++) {
    const from = ((row + shift) % rows) * whole
    result.set(bytes.subarray(from, from + part), row * part)
  }
  return result
}

/** A mixture that is made of parts of another. */
interface SmallMixture {
  readonly mixture: OperatorMixture
  /** The file that its matrices lie in. */
  readonly bytes: Uint8Array
  /** What each expert's matrices hold, `[rows, columns]`, in the order of the linears. */
  readonly weights: readonly (readonly Float64Array[])[]
}

const cutMixture = async (
  folder: Folder,
  mixture: OperatorMixture,
  signal: AbortSignal | undefined,
): Promise<SmallMixture> => {
  const { experts, first, down } = mixture
  const [hidden, inner] = [Math.min(mostWidth, first[0]![0]!.shape[1]), Math.min(mostWidth, down[0]!.shape[1])]
  const innerRows = experts.first.length === 1 ? 2 * inner : inner
  const shapeOf = (linear: number): readonly [number, number] =>
    linear < first.length ? [innerRows, hidden] : [hidden, inner]
  const chunks: Uint8Array[] = []
  let length = 0
  const put = (bytes: Uint8Array): FileRange => {
    chunks.push(bytes)
    length += bytes.length
    return { file, offset: length - bytes.length, length: bytes.length }
  }
  const weights: Float64Array[][] = down.map(() => [])
  const lists: PackedMatrix[][] = []
  for (const [linear, matrices] of [...first, down].entries()) {
    const [rows, columns] = shapeOf(linear)
    const { blockSize, storedBits, shape: all } = matrices[0]!
    const blocks = columns / blockSize
    const parts = { codes: bytesOf(columns, storedBits), scales: 2 * blocks, zeroPoints: bytesOf(blocks, storedBits) }
    const read: Record<keyof typeof parts, Uint8Array | null>[] = []
    for (const { codes, scales, zeroPoints } of matrices.slice(0, mostRead)) {
      const some = async ({ file, offset, length }: FileRange): Promise<Uint8Array> =>
        readRange(folder, { file, offset, length: (length / all[0]) * rows }, signal)
      read.push({
        codes: await some(codes),
        scales: await some(scales),
        zeroPoints: zeroPoints && (await some(zeroPoints)),
      })
    }
    const small = matrices.map((matrix, expert): PackedMatrix => {
      const source = read[expert % read.length]!
      const cut = (part: keyof typeof parts): Uint8Array =>
        cutRows(source[part]!, rows, parts[part], Math.floor(expert / read.length))
      const bytes: KindBytes = {
        codes: cut('codes'),
        scales: cut('scales'),
        zeroPoints: source.zeroPoints && cut('zeroPoints'),
      }
      weights[expert]!.push(dequantizeRows({ rows, blocks, blockSize, storedBits: storedBits as 2 | 4 | 8 }, bytes))
      const placed = {
        codes: put(bytes.codes),
        scales: put(bytes.scales),
        zeroPoints: bytes.zeroPoints && put(bytes.zeroPoints),
      }
      return { ...matrix, ...placed, shape: [rows, columns], blocks }
    })
    lists.push(small)
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  const resized = (linear: LinearSpec, i: number): LinearSpec => ({ ...linear, shape: shapeOf(i) })
  return {
    bytes,
    weights,
    mixture: {
      ...mixture,
      experts: { ...experts, first: experts.first.map(resized), down: resized(experts.down, first.length) },
      first: lists.slice(0, -1),
      down: lists.at(-1)!,
    },
  }
}

/** `W x + b`. */
const product = (weights: Float64Array, x: ArrayLike<number>, bias: ArrayLike<number> | undefined): Float64Array => {
  const rows = weights.length / x.length
  return Float64Array.from({ length: rows }, (_, row) => {
    let sum = bias?.[row] ?? 0
    for (let i = 0; i < x.length; i++) sum += weights[row * x.length + i]! * x[i]!
    return sum
  })
}

/** What one expert makes of a token. */
const expertOutput = (
  { mixture, weights }: SmallMixture,
  expert: number,
  x: Float32Array,
  biases: ReadonlyMap<string, Float32Array>,
): Float64Array => {
  const { alpha, beta, limit, first, down } = mixture.experts
  const biasOf = ({ name, bias }: LinearSpec) => (bias ? biases.get(`${expertName(name, expert)}.bias`) : undefined)
  const made = first.map((linear, i) => product(weights[expert]![i]!, x, biasOf(linear)))
  const width = mixture.experts.down.shape[1]
  const inner = Float64Array.from({ length: width }, (_, i) => {
    // One linear has the rows of gate and up in turn.
    const [gate, up] = made.length === 1 ? [made[0]![2 * i]!, made[0]![2 * i + 1]!] : [made[0]![i]!, made[1]![i]!]
    const g = limit === undefined ? gate : Math.min(gate, limit)
    const u = limit === undefined ? up : Math.max(-limit, Math.min(up, limit))
    return (g / (1 + Math.exp(-alpha * g))) * (u + beta)
  })
  return product(weights[expert]!.at(-1)!, inner, biasOf(down))
}

/** Weights of experts by token, zero for those that are not chosen: others for every token. */
const madeUpRouting = (tokens: number, experts: number, chosen: number): Float32Array => {
  const routing = new Float32Array(tokens * experts)
  for (let token = 0; token < tokens; token++)
    for (let i = 0; i < chosen; i++)
      routing[token * experts + ((token * chosen + i * (1 + (token % 2))) % experts)] = (i + 1) / 8
  return routing
}

const describeMixture = ({ kernel, first, down, chosen }: OperatorMixture): string => {
  const { storedBits, blockSize, zeroPoints } = first[0]![0]!
  const zeros = zeroPoints ? ' with zero points' : ''
  const rounds = kernel.rounds ? ', activations rounded' : ''
  return `QMoE of ${storedBits} bits in blocks of ${blockSize}${zeros}, ${chosen} of ${down.length} experts${rounds}`
}

/** The tokens of each run. */
const runsOf = ({ kernel }: OperatorMixture): readonly number[] => (kernel.oneToken ? [1, 1, 1] : [1, 20])

const checkMixture = async (
  engine: Engine,
  small: SmallMixture,
  dtype: ActivationType,
  signal: AbortSignal | undefined,
): Promise<number> => {
  const { mixture, bytes } = small
  const experts = mixture.down.length
  const [hidden] = mixture.experts.down.shape
  const biases = new Map<string, Float32Array>()
  const graph = new Graph('mixture-check')
  const x = graph.input('x', dtype, [1, 'count', hidden])
  const routing = graph.input('routing', dtype, [1, 'count', experts])
  const vector = (_: Graph, name: string, length: number) => {
    const numbers = biases.get(name) ?? madeUp(length, biases.size)
    biases.set(name, numbers)
    return graph.constant(dtype, [length], valuesOf(numbers, dtype, [length]).data as Float32Array)
  }
  const made = emitOperator(graph, plainLinks, mixture, (name) => name, vector, x, routing)
  graph.output('y', reshape(graph, dtype === 'float32' ? made : graph.add('Cast', [made], { to: 'float32' }), [-1]))
  await using session = await engine.createSession(graph.toBytes(), { externalData: { [file]: bytes }, signal })
  const counts = runsOf(mixture)
  const total = counts.reduce((sum, count) => sum + count)
  const inputs = madeUp(total * hidden, 5)
  const weights = madeUpRouting(total, experts, mixture.chosen)
  let off = 0
  let from = 0
  for (const count of counts) {
    const to = from + count
    const { y } = await session.run(
      {
        x: valuesOf(inputs.slice(from * hidden, to * hidden), dtype, [1, count, hidden]),
        routing: valuesOf(weights.slice(from * experts, to * experts), dtype, [1, count, experts]),
      },
      { signal },
    )
    const expected = new Float64Array(count * hidden)
    for (let token = from; token < to; token++) {
      const own = inputs.subarray(token * hidden, (token + 1) * hidden)
      for (let expert = 0; expert < experts; expert++) {
        const weight = weights[token * experts + expert]!
        if (weight === 0) continue
        for (const [i, value] of expertOutput(small, expert, own, biases).entries())
          expected[(token - from) * hidden + i]! += weight * value
      }
    }
    const deviates = deviation(y!.data as Float32Array, expected)
    if (!(deviates <= off)) off = deviates
    from = to
  }
  return off
}

/**
 * Computes each kind of mixture.
 * @returns what is computed wrong, in words; undefined when all is right
 * @throws AwqError ENGINE when the device can not compute it at all
 */
export const checkMixtures = async (
  engine: Engine,
  folder: Folder,
  mixtures: readonly OperatorMixture[],
  dtype: ActivationType,
  signal: AbortSignal | undefined,
): Promise<string | undefined> => {
  for (const mixture of kindsOf(mixtures)) {
    const small = await cutMixture(folder, mixture, signal)
    const off = await checkMixture(engine, small, dtype, signal)
    if (!(off <= tolerance(dtype, mixture.kernel.rounds))) {
      return `${describeMixture(mixture)} in ${dtype} is off by ${off.toPrecision(2)} of its size`
    }
  }
  return undefined
}
