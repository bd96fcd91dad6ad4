/**
 * The header of a GGUF file (versions 2 and 3): metadata, and where its tensors lie. Everything is checked before memory is
 * taken for it.
 * @module
 */
import { AwqError, type ByteSource, quoted } from '@awq/tensor'
import { type Cursor, type GgufValue, HeaderGoesOn, refuse, text, uint32, uint64, value } from './cursor.ts'
import { type GgufType, ggufTypeById } from './types.ts'

/** A tensor of a GGUF file. */
export interface GgufTensor {
  readonly name: string
  readonly type: GgufType
  /** Rows first, as everywhere else here; files have it the other way round. */
  readonly shape: readonly number[]
  /** From the start of the file. */
  readonly offset: number
  readonly length: number
}

/** What the header of a GGUF file says. */
export interface GgufHeader {
  readonly version: number
  readonly metadata: ReadonlyMap<string, GgufValue>
  readonly tensors: ReadonlyMap<string, GgufTensor>
}

const MAGIC = 0x46554747
const DEFAULT_ALIGNMENT = 32
/** What is read at first; a header with a vocabulary takes some megabytes. */
const FIRST_BYTES = 2 ** 20
const MAX_HEADER = 2 ** 29
const MAX_DIMENSIONS = 4
const MAX_ALIGNMENT = 2 ** 20

/** Whether a file begins as GGUF files do. */
export const isGguf = async (source: ByteSource): Promise<boolean> => {
  if (source.size < 4) return false
  const bytes = await source.read(0, 4)
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === MAGIC
}

const readVersion = (cursor: Cursor): number => {
  const { name } = cursor
  if (uint32(cursor, 'the magic number') !== MAGIC) refuse(name, 'it does not begin with "GGUF": it is no GGUF file')
  const version = uint32(cursor, 'the version')
  if (version % 65536 === 0) {
    throw new AwqError('UNSUPPORTED', `${name}: numbers are stored big-endian; convert it to little-endian first`)
  }
  if (version !== 2 && version !== 3) {
    throw new AwqError('UNSUPPORTED', `${name}: GGUF version ${version}; versions 2 and 3 are read. Convert it again`)
  }
  return version
}

const readMetadata = (cursor: Cursor, count: number): Map<string, GgufValue> => {
  const metadata = new Map<string, GgufValue>()
  for (let i = 0; i < count; i++) {
    const key = text(cursor, `key ${i + 1} of ${count}`)
    if (metadata.has(key)) refuse(cursor.name, `the key ${quoted(key)} is there twice`)
    const type = uint32(cursor, `the type of ${quoted(key)}`)
    metadata.set(key, value(cursor, type, quoted(key)))
  }
  return metadata
}

const alignmentOf = (name: string, metadata: ReadonlyMap<string, GgufValue>): number => {
  const alignment = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT
  const valid = typeof alignment === 'number' && Number.isInteger(Math.log2(alignment))
  if (!valid || alignment < 1 || alignment > MAX_ALIGNMENT) {
    return refuse(name, `general.alignment is ${String(alignment)}, not a power of two up to ${MAX_ALIGNMENT}`)
  }
  return alignment
}

/** A tensor with its offset from the start of the tensors' data. */
const readTensor = (cursor: Cursor, what: string): GgufTensor => {
  const name = text(cursor, `the name of ${what}`)
  const fail = (problem: string): never => refuse(cursor.name, `tensor ${quoted(name)} ${problem}`)
  const rank = uint32(cursor, `the rank of ${quoted(name)}`)
  if (rank < 1 || rank > MAX_DIMENSIONS) fail(`has ${rank} dimensions, not 1 to ${MAX_DIMENSIONS}`)
  const sizes = Array.from({ length: rank }, () => uint64(cursor, `the shape of ${quoted(name)}`))
  const id = uint32(cursor, `the type of ${quoted(name)}`)
  const offset = uint64(cursor, `the offset of ${quoted(name)}`)
  const type = ggufTypeById.get(id)
  if (!type) {
    throw new AwqError('UNSUPPORTED', `${cursor.name}: tensor ${quoted(name)} has type ${id}, which is not known here`)
  }
  const shape = sizes.toReversed()
  const elements = sizes.reduce((product, size) => product * size, 1)
  if (!sizes.every((size) => size >= 1) || !Number.isSafeInteger(elements)) {
    fail(`has the impossible shape [${shape.join(', ')}]`)
  }
  if (sizes[0]! % type.block !== 0) {
    fail(`has rows of ${sizes[0]} elements, which ${type.name} cuts into blocks of ${type.block}`)
  }
  return { name, type, shape, offset, length: (elements / type.block) * type.bytes }
}

const parse = (cursor: Cursor): GgufHeader => {
  const { name, size } = cursor
  const version = readVersion(cursor)
  const tensorCount = uint64(cursor, 'the number of tensors')
  const keyCount = uint64(cursor, 'the number of keys')
  const metadata = readMetadata(cursor, keyCount)
  const listed = new Map<string, GgufTensor>()
  for (let i = 0; i < tensorCount; i++) {
    const tensor = readTensor(cursor, `tensor ${i + 1} of ${tensorCount}`)
    if (listed.has(tensor.name)) refuse(name, `the tensor ${quoted(tensor.name)} is there twice`)
    listed.set(tensor.name, tensor)
  }
  const alignment = alignmentOf(name, metadata)
  const start = Math.ceil(cursor.at / alignment) * alignment
  const tensors = new Map<string, GgufTensor>()
  for (const tensor of listed.values()) {
    const offset = start + tensor.offset
    const fail = (problem: string) => refuse(name, `tensor ${quoted(tensor.name)} ${problem}`)
    if (tensor.offset % alignment !== 0) fail(`begins at ${tensor.offset}, which is no multiple of ${alignment}`)
    if (!(offset + tensor.length <= size)) {
      fail(`takes ${tensor.length} bytes at ${offset}, but the file ends at ${size}; it is cut or damaged`)
    }
    tensors.set(tensor.name, { ...tensor, offset })
  }
  return { version, metadata, tensors }
}

/**
 * Reads the header of a GGUF file.
 * @throws AwqError INVALID_FILE naming the key or tensor that is damaged, cut off or forged, UNSUPPORTED for versions,
 *   byte orders and element types that are not read
 */
export const readGgufHeader = async (
  source: ByteSource,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<GgufHeader> => {
  const { name, size } = source
  let length = Math.min(size, FIRST_BYTES)
  while (true) {
    const bytes = await source.read(0, length, options)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    try {
      return parse({ name, bytes, view, size, at: 0 })
    } catch (error) {
      if (!(error instanceof HeaderGoesOn)) throw error
      if (error.size > MAX_HEADER) refuse(name, `its header is longer than the ${MAX_HEADER} bytes allowed`)
      length = Math.min(size, MAX_HEADER, Math.max(error.size, 2 * length))
    }
  }
}
