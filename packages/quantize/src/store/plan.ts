import { AwqError, byteLength, type DType, quoted, safetensorsHeader } from '@awq/tensor'
import type { StoreEntry } from './entries.ts'

/** Where a tensor of a planned store will lie. */
export interface PlannedTensor {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly file: string
  /** Absolute in the file; a multiple of the dtype's width. */
  readonly offset: number
  readonly length: number
}

/** A file of a planned store. */
export interface PlannedFile {
  readonly name: string
  /** The file's first bytes: the safetensors header, padded to a multiple of 64. */
  readonly header: Uint8Array
  /** Bytes of the whole file. */
  readonly size: number
}

/** Every byte offset of a store, before anything is written. */
export interface StorePlan {
  readonly files: readonly PlannedFile[]
  readonly tensors: ReadonlyMap<string, PlannedTensor>
  /** The text of `model.safetensors.index.json`; null when there is one file, which needs none. */
  readonly index: string | null
  /** Bytes of all files together. */
  readonly bytes: number
}

/** The index of a store of several files. */
export const INDEX_FILE = 'model.safetensors.index.json'

/** Tensors that stay together. */
interface Unit {
  readonly entries: StoreEntry[]
  bytes: number
  /** Not more than this many bytes of JSON describe them. */
  headerBytes: number
}

/** Data of a file starts at a multiple of this. */
const ALIGNMENT = 64
/** JSON of one tensor besides its name and shape: dtype, two offsets below 10^13, punctuation. */
const ENTRY_JSON = 96
/** The metadata that transformers wants, the length, the padding. */
const FILE_JSON = 128
/** transformers asks for a "format" and knows this one: plain row-major arrays. */
const METADATA = { format: 'pt' }

/**
 * Lays out a store: safetensors files of at most `maxFileBytes` (default 1 GiB, so that a browser can load each whole),
 * in the order of the entries. No tensor crosses two files and every tensor is aligned to its dtype.
 *
 * Safetensors allows no gaps, so within a file units whose length is a multiple of 64 come first and the others follow
 * by how many factors of two their length has: each then starts at a multiple of what it needs. In models of usual
 * shapes this leaves the order as it is.
 *
 * @throws AwqError INVALID_ARGUMENT for repeated names, fused entries of different dtypes, or a tensor (with those
 *   fused to it) that does not fit one file
 */
export function planStore(entries: readonly StoreEntry[], options: { readonly maxFileBytes?: number } = {}): StorePlan {
  const maxFileBytes = options.maxFileBytes ?? 2 ** 30
  if (!Number.isSafeInteger(maxFileBytes) || maxFileBytes < 1) {
    throw new AwqError('INVALID_ARGUMENT', `maxFileBytes must be a positive integer, not ${maxFileBytes}`)
  }
  if (entries.length === 0) throw new AwqError('INVALID_ARGUMENT', 'a store needs at least one tensor')
  const groups = splitIntoFiles(unitsOf(entries), maxFileBytes)
  const files: PlannedFile[] = []
  const tensors = new Map<string, PlannedTensor>()
  for (const [index, units] of groups.entries()) {
    const file = fileName(index, groups.length)
    const ordered = alignmentOrder(units).flatMap((unit) => unit.entries)
    const { header, offsets, size } = safetensorsHeader(ordered, METADATA)
    for (const { name, dtype, shape } of ordered) {
      if (tensors.has(name)) throw new AwqError('INVALID_ARGUMENT', `two tensors are named ${quoted(name)}`)
      const { offset, length } = offsets.get(name) as { offset: number; length: number }
      tensors.set(name, { name, dtype, shape: [...shape], file, offset, length })
    }
    files.push({ name: file, header, size })
  }
  const bytes = files.reduce((sum, file) => sum + file.size, 0)
  return { files, tensors, index: files.length === 1 ? null : indexText(tensors), bytes }
}

function unitsOf(entries: readonly StoreEntry[]): Unit[] {
  const units: Unit[] = []
  const fused = new Map<string, Unit>()
  for (const entry of entries) {
    let unit = entry.fuse === undefined ? undefined : fused.get(entry.fuse)
    if (unit === undefined) {
      unit = { entries: [], bytes: 0, headerBytes: 0 }
      units.push(unit)
      if (entry.fuse !== undefined) fused.set(entry.fuse, unit)
    }
    const first = unit.entries[0]
    if (first !== undefined && first.dtype !== entry.dtype) {
      throw new AwqError(
        'INVALID_ARGUMENT',
        `${quoted(first.name)} (${first.dtype}) and ${quoted(entry.name)} (${entry.dtype}) cannot be fused: their dtypes differ`,
      )
    }
    unit.entries.push(entry)
    unit.bytes += byteLength(entry.dtype, entry.shape)
    unit.headerBytes += JSON.stringify(entry.name).length * 3 + JSON.stringify(entry.shape).length + ENTRY_JSON
  }
  return units
}

function splitIntoFiles(units: readonly Unit[], maxFileBytes: number): Unit[][] {
  const files: Unit[][] = []
  let room = 0
  for (const unit of units) {
    const needed = unit.bytes + unit.headerBytes
    if (needed > maxFileBytes - FILE_JSON) refuseLarge(unit, maxFileBytes)
    if (needed > room) {
      files.push([])
      room = maxFileBytes - FILE_JSON
    }
    files.at(-1)?.push(unit)
    room -= needed
  }
  return files
}

function refuseLarge(unit: Unit, maxFileBytes: number): never {
  const names = unit.entries.map(({ name }) => quoted(name)).join(', ')
  throw new AwqError(
    'INVALID_ARGUMENT',
    `${names} takes ${unit.bytes} bytes, but files of this store have at most ${maxFileBytes}: ` +
      'quantize it to fewer bits, or allow larger files',
  )
}

/** Units by the largest power of two (up to 64) that divides their length, the largest first; ties keep their order. */
function alignmentOrder(units: readonly Unit[]): Unit[] {
  const factor = ({ bytes }: Unit): number => {
    let power: number = ALIGNMENT
    while (bytes % power !== 0) power /= 2
    return power
  }
  // An empty tensor can stand anywhere its dtype allows, which the widest place does.
  return [...units].sort((one, other) => factor(other) - factor(one))
}

const fileName = (index: number, count: number): string =>
  count === 1
    ? 'model.safetensors'
    : `model-${String(index + 1).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.safetensors`

function indexText(tensors: ReadonlyMap<string, PlannedTensor>): string {
  let total = 0
  for (const { length } of tensors.values()) total += length
  // As entries, not by assignment: a tensor may have any name.
  const map = Object.fromEntries([...tensors.values()].map(({ name, file }) => [name, file]))
  return `${JSON.stringify({ metadata: { total_size: total }, weight_map: map }, null, 2)}\n`
}
