/**
 * Reads checkpoints of compressed-tensors (llm-compressor, vLLM): packed integers, and int8 as it is.
 * @module
 */
import { alignCheckpoint, ignoredTensors } from '@awq/models'
import {
  AwqError,
  type Checkpoint,
  type DType,
  type Folder,
  type QuantizedMatrix,
  quoted,
  type TensorEntry,
} from '@awq/tensor'
import { readFolderConfig } from '../folder/config.ts'
import type { Parameter, PortableModel, QuantizedParameter, ReadOptions } from '../model.ts'
import type { Float16Scales } from '../packed/float16-scales.ts'
import { moveColumns, orderOfGroups } from '../packed/group-index.ts'
import { openPacked } from '../packed/open-packed.ts'
import { heldGroupSize, regroup } from '../packed/regroup.ts'
import { refuseTensor, tensorText, words32 } from '../packed/tensor-checks.ts'
import { readSchemes, type WeightScheme } from './config.ts'
import { type Packing, packingOf, unpackColumns, unpackRows } from './layout.ts'

/** Ends of the names of a matrix' tensors, after its module's. */
const parts = {
  packed: '.weight_packed',
  plain: '.weight',
  scale: '.weight_scale',
  zero: '.weight_zero_point',
  shape: '.weight_shape',
  groups: '.weight_g_idx',
} as const

/** The tensors of one matrix. */
interface Parts {
  readonly codes: TensorEntry
  readonly scale: TensorEntry
  readonly zero: TensorEntry | undefined
  readonly groups: TensorEntry | undefined
  /** How codes are packed; null for int8 as it is. */
  readonly packing: Packing | null
  readonly shape: readonly [out: number, width: number]
  readonly scheme: WeightScheme
}

const expectType = (entry: TensorEntry, dtype: DType): void => {
  if (entry.dtype !== dtype) refuseTensor(entry, `is ${tensorText(entry)}, not ${dtype}`)
}

/** Most elements of a matrix: they are bytes in memory. */
const MAX_ELEMENTS = 2 ** 32

const readShape = async (entry: TensorEntry, options: ReadOptions): Promise<readonly [number, number]> => {
  const wide = entry.dtype === 'I64'
  if ((!wide && entry.dtype !== 'I32') || entry.shape.length !== 1 || entry.shape[0] !== 2) {
    refuseTensor(entry, `is ${tensorText(entry)}, not the two sizes of a matrix`)
  }
  const bytes = await entry.read({ signal: options.signal })
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const [out, width] = wide
    ? [Number(view.getBigInt64(0, true)), Number(view.getBigInt64(8, true))]
    : [view.getInt32(0, true), view.getInt32(4, true)]
  if (!(out >= 1 && width >= 1 && out * width <= MAX_ELEMENTS))
    refuseTensor(entry, `says [${out}, ${width}], which no matrix is`)
  return [out, width]
}

const groupsIn = (width: number, { groupSize }: WeightScheme): number =>
  groupSize > 0 ? Math.ceil(width / groupSize) : 1

/** Whether the tensors' shapes are those of a scheme. */
const fits = (
  { codes, scale, zero }: Pick<Parts, 'codes' | 'scale' | 'zero'>,
  [out, width]: readonly [number, number],
  scheme: WeightScheme,
  packed: boolean,
): boolean => {
  const { bits, groupSize, symmetric } = scheme
  if (packed ? packingOf(width, bits, codes.shape[1]!) === null : bits !== 8) return false
  const [rows, groups] = [groupSize === 0 ? 1 : out, groupsIn(width, scheme)]
  const [first = 1, second = 1, ...others] = scale.shape
  return first === rows && second === groups && others.length === 0 && symmetric === (zero === undefined)
}

/** The scheme that a matrix' tensors have; bits that fill words without gaps go before those that do not. */
const schemeOf = (
  tensors: Pick<Parts, 'codes' | 'scale' | 'zero'>,
  shape: readonly [number, number],
  schemes: readonly WeightScheme[],
  packed: boolean,
): WeightScheme => {
  const { codes, scale, zero } = tensors
  const found = schemes.filter((scheme) => fits(tensors, shape, scheme, packed))
  const dense = found.filter(({ bits }) => !packed || packingOf(shape[1], bits, codes.shape[1]!) === 'dense')
  const [first, ...others] = dense.length > 0 ? dense : found
  const asked = `[${shape.join(', ')}] as ${tensorText(codes)} with scales ${tensorText(scale)}${zero ? ' and zero points' : ''}`
  if (!first) return refuseTensor(codes, `holds ${asked}, which is no scheme of quantization_config.config_groups`)
  const spread = ({ groupSize }: WeightScheme) => (groupSize > 0 ? Math.min(groupSize, shape[1]) : shape[1])
  if (others.some((other) => other.bits !== first.bits || spread(other) !== spread(first)))
    return refuseTensor(codes, `holds ${asked}: more than one of config_groups fits`)
  return first
}

const findParts = async (
  { tensors }: Checkpoint,
  module: string,
  schemes: readonly WeightScheme[],
  options: ReadOptions,
): Promise<Parts> => {
  const packed = tensors.get(module + parts.packed)
  const codes = packed ?? tensors.get(module + parts.plain)!
  const scale = tensors.get(module + parts.scale)
  if (!scale) return refuseTensor(codes, `has no ${quoted(module + parts.scale)} beside it`)
  if (codes.shape.length !== 2)
    refuseTensor(codes, `is ${tensorText(codes)}; a matrix is read, experts each as one of their own`)
  expectType(codes, packed ? 'I32' : 'I8')
  if (packed && tensors.has(module + parts.plain)) refuseTensor(packed, `has ${quoted(module + parts.plain)} beside it`)
  const stated = tensors.get(module + parts.shape)
  if (packed && !stated) refuseTensor(codes, `has no ${quoted(module + parts.shape)} beside it`)
  const shape = stated ? await readShape(stated, options) : (codes.shape as readonly [number, number])
  if (codes.shape[0] !== shape[0]) refuseTensor(codes, `is ${tensorText(codes)} for a matrix [${shape.join(', ')}]`)
  const zero = tensors.get(module + parts.zero)
  const scheme = schemeOf({ codes, scale, zero }, shape, schemes, packed !== undefined)
  const packing = packed ? packingOf(shape[1], scheme.bits, codes.shape[1]!) : null
  return { codes, scale, zero, groups: tensors.get(module + parts.groups), packing, shape, scheme }
}

/** Zero points [out, groups] from 0 on: packed down the rows, or int8 as older versions have them. */
const readZeros = async (
  entry: TensorEntry,
  rows: number,
  groups: number,
  { bits }: WeightScheme,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<Uint8Array> => {
  const [first = 0, second = 1] = entry.shape
  if (entry.dtype === 'I8' && first === rows && second === groups && entry.shape.length <= 2) {
    const bytes = await entry.read(options)
    const middle = 2 ** (bits - 1)
    const zeros = bytes.map((byte) => ((byte << 24) >> 24) + middle)
    const wrong = zeros.findIndex((zero) => zero > 2 ** bits - 1)
    return wrong < 0
      ? zeros
      : refuseTensor(entry, `has the zero point ${(bytes[wrong]! << 24) >> 24}, beyond ${bits} bits`)
  }
  const packing = packingOf(rows, bits, first)
  if (entry.dtype !== 'I32' || packing === null || second !== groups) {
    return refuseTensor(
      entry,
      `is ${tensorText(entry)}, no zero points of ${rows} rows with ${groups} groups in ${bits} bits`,
    )
  }
  return unpackColumns(words32(await entry.read(options)), rows, groups, bits, packing)
}

/** Ours has 2, 3, 4 and 8 bits: others move into the next of those, their zeros with them. */
const heldBits = { 1: 2, 2: 2, 3: 3, 4: 4, 5: 8, 6: 8, 7: 8, 8: 8 } as const

const readParts = async (
  { codes: entry, scale, zero, packing, shape, scheme }: Parts,
  order: Int32Array | undefined,
  held: number,
  scales: Float16Scales,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<QuantizedMatrix> => {
  const [out, width] = shape
  const bits = heldBits[scheme.bits]
  const groups = groupsIn(width, scheme)
  const stored = await entry.read(options)
  const codes =
    packing === null ? stored.map((byte) => byte ^ 0x80) : unpackRows(words32(stored), out, width, scheme.bits, packing)
  // Without zero points the middle is the zero: it moves to the middle of the wider codes.
  const shift = scheme.symmetric ? 2 ** (bits - 1) - 2 ** (scheme.bits - 1) : 0
  if (shift !== 0) for (let i = 0; i < codes.length; i++) codes[i]! += shift
  const given = scales.convert(await scale.read(options), scale.dtype, scale.name)
  const matrix = {
    bits,
    groupSize: scheme.groupSize > 0 ? Math.min(scheme.groupSize, width) : width,
    shape,
    codes: order ? moveColumns(codes, width, order) : codes,
    scales: given.length === out * groups ? given : new Uint16Array(out).fill(given[0]!),
    zeroPoints: zero ? await readZeros(zero, out, groups, scheme, options) : null,
    ...(order ? { inputOrder: order } : {}),
  }
  return regroup(matrix, held)
}

const readOrder = async (
  { groups, scheme, shape: [, width] }: Parts,
  options: ReadOptions,
): Promise<Int32Array | undefined> => {
  if (!groups || scheme.groupSize <= 0) return undefined
  expectType(groups, 'I32')
  if (groups.shape.length !== 1 || groups.shape[0] !== width)
    refuseTensor(groups, `is ${tensorText(groups)} for ${width} inputs`)
  const index = new Int32Array(words32(await groups.read({ signal: options.signal })).buffer)
  // Written by versions that had no order yet.
  if (index.every((group) => group === -1)) return undefined
  return orderOfGroups(index, scheme.groupSize, groups.name)
}

const quantized = async (found: Parts, scales: Float16Scales, options: ReadOptions): Promise<QuantizedParameter> => {
  const { codes, scheme, shape } = found
  const [out, width] = shape
  const held = heldGroupSize(scheme.groupSize > 0 ? scheme.groupSize : -1, width)
  if (held === null) {
    throw new AwqError(
      'UNSUPPORTED',
      `${codes.file}: ${quoted(codes.name)} has groups of ${scheme.groupSize}; multiples of 16 are read`,
    )
  }
  const { zero } = found
  // Its shape is held to the others' here, so that nothing is found late.
  if (zero && zero.shape[0] !== out && (zero.dtype !== 'I32' || packingOf(out, scheme.bits, zero.shape[0]!) === null)) {
    refuseTensor(zero, `is ${tensorText(zero)}, no zero points of ${out} rows in ${scheme.bits} bits`)
  }
  const order = await readOrder(found, options)
  return {
    kind: 'quantized',
    spec: { bits: heldBits[scheme.bits], groupSize: held, symmetric: scheme.symmetric },
    shape,
    denseColumns: 0,
    inputOrder: order !== undefined,
    read: ({ signal } = {}) => readParts(found, order, held, scales, { signal }),
  }
}

/** Tensors that tell how activations and caches are rounded. */
const ofActivations = /\.(?:input|output|k|v|q)_(?:scale|zero_point|global_scale|g_idx)$/

/** An entry that stands for a matrix while names are aligned. */
interface Standing extends TensorEntry {
  readonly matrix: Parts
}

/** Opens a folder of compressed-tensors. */
export const readCompressedTensors = async (folder: Folder, options: ReadOptions = {}): Promise<PortableModel> => {
  const { config, quantization = {} } = await readFolderConfig(folder)
  const schemes = readSchemes(quantization, folder.name, options)
  return openPacked(
    { folder, format: 'compressed-tensors', config },
    options,
    async ({ description, checkpoint, scales }) => {
      const tensors = new Map<string, TensorEntry>()
      for (const [name, entry] of checkpoint.tensors) {
        const part = Object.values(parts).find((end) => end !== parts.plain && name.endsWith(end))
        const module = part === undefined ? name.slice(0, -parts.plain.length) : name.slice(0, -part.length)
        const whole = name === module + parts.plain && checkpoint.tensors.has(module + parts.scale)
        if (part === parts.packed || whole) {
          const matrix = await findParts(checkpoint, module, schemes, options)
          const standing: Standing = { ...entry, name: module + parts.plain, shape: matrix.shape, matrix }
          tensors.set(standing.name, standing)
        } else if (part === undefined && !ofActivations.test(name)) tensors.set(name, entry)
      }
      const parameters = new Map<string, Parameter>()
      const isIgnored = ignoredTensors(description)
      for (const [name, entry] of alignCheckpoint({ ...checkpoint, tensors }, description).tensors) {
        const { matrix } = entry as Partial<Standing>
        if (isIgnored(name)) continue
        parameters.set(name, matrix ? await quantized(matrix, scales, options) : { kind: 'float', entry })
      }
      return parameters
    },
  )
}
