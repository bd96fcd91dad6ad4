/**
 * Quantized products and look-ups on a device against plain arithmetic in double precision.
 * @module
 */
import type { ActivationType } from '@awq/models'
import { Graph, reshape } from '@awq/onnx'
import { type Engine, type Tensor, tensor } from '@awq/ort'
import { type FileRange, type Folder, float16BitsToFloat32 } from '@awq/tensor'
import { widenCodes } from '../widen-codes.ts'
import { deviation, tolerance, valuesOf } from './compare.ts'
import { describeKind, type QuantizedKind } from './quantized-kinds.ts'

/** The bytes of a kind's rows. */
export interface KindBytes {
  readonly codes: Uint8Array
  readonly scales: Uint8Array
  readonly zeroPoints: Uint8Array | null
}

/** Rows of input: a single token's, and those of a prompt, which are more than a tile of a kernel. */
const counts = [1, 20] as const

/** Some bytes of a file of the folder. */
export const readRange = async (
  folder: Folder,
  range: FileRange,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> => {
  const source = await folder.open(range.file)
  try {
    return await source.read(range.offset, range.length, { signal })
  } finally {
    await source.close?.()
  }
}

const readKind = async (folder: Folder, kind: QuantizedKind, signal: AbortSignal | undefined): Promise<KindBytes> => ({
  codes: await readRange(folder, kind.codes, signal),
  scales: await readRange(folder, kind.scales, signal),
  zeroPoints: kind.zeroPoints && (await readRange(folder, kind.zeroPoints, signal)),
})

/** What says how rows lie in their bytes. */
type RowShape = Pick<QuantizedKind, 'rows' | 'blocks' | 'blockSize' | 'storedBits'>

/** `(code - zero) * scale` of every element, `[rows, blocks * blockSize]`. */
export const dequantizeRows = (kind: RowShape, { codes, scales, zeroPoints }: KindBytes): Float64Array => {
  const { rows, blocks, blockSize, storedBits } = kind
  const perByte = 8 / storedBits
  const mask = 2 ** storedBits - 1
  const at = (bytes: Uint8Array, start: number, index: number): number =>
    (bytes[start + Math.floor(index / perByte)]! >> ((index % perByte) * storedBits)) & mask
  const padded = blocks * blockSize
  const zeroBytes = Math.ceil((blocks * storedBits) / 8)
  const values = new Float64Array(rows * padded)
  const halves = new DataView(scales.buffer, scales.byteOffset, scales.length)
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const scale = float16BitsToFloat32(halves.getUint16(2 * (row * blocks + block), true))
      const zero = zeroPoints ? at(zeroPoints, row * zeroBytes, block) : 2 ** (storedBits - 1)
      for (let i = 0; i < blockSize; i++) {
        const column = block * blockSize + i
        values[row * padded + column] = (at(codes, (row * padded) / perByte, column) - zero) * scale
      }
    }
  }
  return values
}

/** Adds a kind to a graph, reading `x<n>` and writing `y<n>`. */
const emitKind = (graph: Graph, n: number, kind: QuantizedKind, bytes: KindBytes, dtype: ActivationType): void => {
  const { op, rows, width, blocks, blockSize, storedBits, bits, level } = kind
  const product = op === 'MatMulNBits'
  const shape = product ? [rows, blocks, (blockSize * storedBits) / 8] : [rows, (blocks * blockSize * storedBits) / 8]
  const halves = new Uint16Array(bytes.scales.slice().buffer)
  const scales = graph.constant('float16', [rows, blocks], halves)
  const stored = {
    codes: graph.constant('uint8', shape, bytes.codes),
    zeroPoints: bytes.zeroPoints && graph.constant('uint8', [rows, bytes.zeroPoints.length / rows], bytes.zeroPoints),
  }
  const { codes, zeroPoints } = bits > storedBits ? widenCodes(graph, stored, blocks) : stored
  const cast = dtype === 'float32' ? graph.add('Cast', [scales], { to: dtype }) : scales
  const made = product
    ? graph.add(
        'MatMulNBits',
        [
          graph.input(`x${n}`, dtype, [1, 'count', width]),
          ...[codes, cast, zeroPoints, null],
          kind.bias ? graph.constant(dtype, [rows], biasOf(kind, dtype)) : null,
        ],
        { K: width, N: rows, bits, block_size: blockSize, accuracy_level: level },
      )
    : graph.add('GatherBlockQuantized', [codes, graph.input(`x${n}`, 'int64', [1, 'count']), cast, zeroPoints], {
        bits,
        block_size: blockSize,
        gather_axis: 0,
        quantize_axis: 1,
      })
  graph.output(`y${n}`, reshape(graph, dtype === 'float32' ? made : graph.add('Cast', [made], { to: 'float32' }), [-1]))
}

/** A bias of halves, which both types have exactly. */
const biasNumbers = ({ rows }: QuantizedKind): Float32Array =>
  Float32Array.from({ length: rows }, (_, i) => (i % 5) / 2)

const biasOf = (kind: QuantizedKind, dtype: ActivationType): Float32Array | Uint16Array => {
  const numbers = biasNumbers(kind)
  return dtype === 'float32' ? numbers : (valuesOf(numbers, dtype, [kind.rows]).data as Uint16Array)
}

/** A kind's input of so many rows, and what it makes of it. */
const caseOf = (
  kind: QuantizedKind,
  weights: Float64Array,
  count: number,
  dtype: ActivationType,
): { readonly x: Tensor; readonly expected: Float64Array } => {
  const { op, rows, width, blocks, blockSize } = kind
  const padded = blocks * blockSize
  if (op === 'GatherBlockQuantized') {
    const ids = Array.from({ length: count }, (_, i) => (i * 37 + rows - 1) % rows)
    const expected = new Float64Array(count * padded)
    for (const [i, id] of ids.entries()) expected.set(weights.subarray(id * padded, (id + 1) * padded), i * padded)
    return { x: tensor('int64', [1, count], BigInt64Array.from(ids, BigInt)), expected }
  }
  // Multiples of 1/256 within one: exact in both types.
  const numbers = Float32Array.from(
    { length: count * width },
    (_, i) => (((i * 7919 + 131 * (i % 61)) % 513) - 256) / 256,
  )
  const bias = kind.bias ? biasNumbers(kind) : undefined
  const expected = new Float64Array(count * rows)
  for (let i = 0; i < count; i++) {
    for (let row = 0; row < rows; row++) {
      let sum = bias?.[row] ?? 0
      for (let k = 0; k < width; k++) sum += numbers[i * width + k]! * weights[row * padded + k]!
      expected[i * rows + row] = sum
    }
  }
  return { x: valuesOf(numbers, dtype, [1, count, width]), expected }
}

/**
 * Computes each kind on the first rows of its matrix.
 * @returns what is computed wrong, in words; undefined when all is right
 * @throws AwqError ENGINE when the device can not compute it at all
 */
export const checkQuantized = async (
  engine: Engine,
  folder: Folder,
  kinds: readonly QuantizedKind[],
  dtype: ActivationType,
  signal: AbortSignal | undefined,
): Promise<string | undefined> => {
  if (kinds.length === 0) return undefined
  const graph = new Graph('self-check')
  const weights: Float64Array[] = []
  for (const [n, kind] of kinds.entries()) {
    const bytes = await readKind(folder, kind, signal)
    weights.push(dequantizeRows(kind, bytes))
    emitKind(graph, n, kind, bytes, dtype)
  }
  await using session = await engine.createSession(graph.toBytes(), { signal })
  for (const count of counts) {
    const cases = kinds.map((kind, n) => caseOf(kind, weights[n]!, count, dtype))
    const feeds = Object.fromEntries(cases.map(({ x }, n) => [`x${n}`, x]))
    const made = await session.run(feeds, { signal })
    for (const [n, kind] of kinds.entries()) {
      const off = deviation(made[`y${n}`]!.data as Float32Array, cases[n]!.expected)
      // What is looked up is not summed, so nothing is rounded but the results.
      const rounds = kind.op === 'MatMulNBits' && kind.level === 4
      if (!(off <= tolerance(dtype, rounds))) {
        return `${describeKind(kind)} for ${count} row${count === 1 ? '' : 's'} of ${dtype} is off by ${off.toPrecision(2)} of its size`
      }
    }
  }
  return undefined
}
