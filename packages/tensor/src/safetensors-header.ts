import type { ByteSource } from './byte-source.ts'
import { byteLength, byteWidth, type DType, isDType } from './dtype.ts'
import { AwqError, messageOf, quoted } from './error.ts'
import { type HeaderEntry, maxTensors, parseHeaderJson } from './safetensors-json.ts'

/** The longest header the format allows, in bytes. */
export const maxHeaderBytes = 100_000_000

/** Dtypes that safetensors knows and this package does not. */
const foreignDTypes = new Set(['C64', 'F4', 'F6_E2M3', 'F6_E3M2', 'F8_E8M0', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ'])

/** A tensor of a header that passed every check. */
export interface TensorLocation {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /** Absolute in the file. */
  readonly offset: number
  readonly length: number
}

/** What the header of a file says, checked. */
export interface SafetensorsHeader {
  /** By offset. */
  readonly tensors: readonly TensorLocation[]
  readonly metadata: ReadonlyMap<string, string>
}

/**
 * Reads and checks the header of a safetensors file (format: 8 bytes little-endian length, that many bytes of JSON, the
 * data). The tensors must fill the data exactly: no gap, no overlap, nothing behind. The length is checked against
 * the file and the 100 MB limit before it is believed. Throws INVALID_FILE, or UNSUPPORTED for dtypes we cannot read.
 */
export async function readSafetensorsHeader(
  source: ByteSource,
  options?: { signal?: AbortSignal | undefined },
): Promise<SafetensorsHeader> {
  const fail = (problem: string, cause?: unknown): never => {
    throw new AwqError('INVALID_FILE', `${source.name} is not a valid safetensors file: ${problem}`, { cause })
  }
  if (source.size < 10) fail(`${source.size} bytes are too few; was the download cut off?`)
  const start = await source.read(0, 8, options)
  const length = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true)
  if (length < 2n) fail(`its header length is ${length}`)
  if (length > BigInt(maxHeaderBytes)) fail(`its header length is ${length}, more than the format's ${maxHeaderBytes}`)
  if (length > BigInt(source.size - 8)) {
    fail(`its header length is ${length}, but only ${source.size - 8} bytes follow; was the download cut off?`)
  }
  const bytes = await source.read(8, Number(length), options)
  let text = ''
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    fail('its header is not UTF-8', cause)
  }
  const { entries, metadata } = parseHeaderJson(text, source.name)
  const dataStart = 8 + Number(length)
  return {
    tensors: locate(entries, source.name, dataStart, source.size),
    metadata,
  }
}

/** Checks dtypes, sizes and that the spans tile the data; sorted by offset. */
function locate(entries: readonly HeaderEntry[], file: string, dataStart: number, fileSize: number): TensorLocation[] {
  const dataSize = fileSize - dataStart
  const sorted = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)
  let position = 0
  const tensors = sorted.map((entry) => {
    const tensor = checkEntry(entry, file, dataSize)
    if (entry.begin !== position) {
      const problem = entry.begin < position ? 'overlaps the tensor before it' : 'leaves a gap before it'
      throw invalid(
        file,
        `${quoted(entry.name)} at [${entry.begin}, ${entry.end}] ${problem}, which ends at ${position}`,
      )
    }
    position = entry.end
    return { ...tensor, offset: dataStart + entry.begin }
  })
  if (position !== dataSize) {
    throw invalid(file, `its tensors have ${position} bytes, but ${dataSize} bytes follow the header`)
  }
  return tensors
}

function checkEntry({ name, dtype, shape, begin, end }: HeaderEntry, file: string, dataSize: number) {
  const label = `tensor ${quoted(name)} (${quoted(dtype)} [${shape.join(', ')}])`
  if (!isDType(dtype)) {
    if (foreignDTypes.has(dtype)) {
      throw new AwqError('UNSUPPORTED', `${file}: ${label}: this dtype cannot be read; convert the checkpoint to BF16`)
    }
    throw invalid(file, `${label}: unknown dtype; known are ${Object.keys(byteWidth).join(', ')}`)
  }
  if (begin > end) throw invalid(file, `${label}: its span [${begin}, ${end}] ends before it begins`)
  if (end > dataSize) {
    throw invalid(
      file,
      `${label}: its span [${begin}, ${end}] leaves the ${dataSize} bytes of data; is the file cut off?`,
    )
  }
  let expected = 0
  try {
    expected = byteLength(dtype, shape)
  } catch (cause) {
    throw invalid(file, `${label}: ${messageOf(cause)}`)
  }
  if (expected !== end - begin) {
    throw invalid(file, `${label}: it needs ${expected} bytes, but its span [${begin}, ${end}] has ${end - begin}`)
  }
  return { name, dtype, shape, length: expected }
}

function invalid(file: string, problem: string): AwqError {
  return new AwqError('INVALID_FILE', `${file} is not a valid safetensors file: ${problem}`)
}

/** Name, dtype and shape of a tensor to be written. */
export interface TensorDeclaration {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
}

/** The header of a file to be written, and where every tensor will lie. */
export interface PlannedHeader {
  /** 8 bytes of length and the JSON, padded with spaces so that the data starts at a multiple of 64. */
  readonly header: Uint8Array
  /** Absolute in the file. */
  readonly offsets: Map<string, { offset: number; length: number }>
  /** Of the whole file, in bytes. */
  readonly size: number
}

/**
 * The header of a safetensors file whose tensors follow each other in the order given. The format allows no gap
 * between them, so a tensor is aligned to its dtype when wider dtypes come first. Throws INVALID_ARGUMENT for a
 * repeated or reserved name, an unknown dtype, a bad shape, or a header beyond the format's 100 MB.
 */
export function safetensorsHeader(
  entries: readonly TensorDeclaration[],
  metadata: Readonly<Record<string, string>> = {},
): PlannedHeader {
  if (entries.length > maxTensors) throw new AwqError('INVALID_ARGUMENT', `a file takes at most ${maxTensors} tensors`)
  const spans = new Map<string, { offset: number; length: number }>()
  const members: string[] = []
  if (Object.keys(metadata).length > 0) members.push(`"__metadata__":${metadataJson(metadata)}`)
  let position = 0
  for (const { name, dtype, shape } of entries) {
    if (spans.has(name)) throw new AwqError('INVALID_ARGUMENT', `two tensors are named ${quoted(name)}`)
    if (name === '__metadata__' || name === '__proto__') {
      throw new AwqError('INVALID_ARGUMENT', `a tensor cannot be named ${quoted(name)}`)
    }
    if (!isDType(dtype))
      throw new AwqError('INVALID_ARGUMENT', `tensor ${quoted(name)}: unknown dtype ${quoted(dtype)}`)
    const length = byteLength(dtype, shape)
    const value = { dtype, shape, data_offsets: [position, position + length] }
    members.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`)
    spans.set(name, { offset: position, length })
    position += length
  }
  const json = new TextEncoder().encode(`{${members.join(',')}}`)
  const start = Math.ceil((8 + json.length) / 64) * 64
  if (start - 8 > maxHeaderBytes) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `the header would have ${start - 8} bytes; the format allows ${maxHeaderBytes}`,
    )
  }
  const header = new Uint8Array(start).fill(0x20)
  new DataView(header.buffer).setBigUint64(0, BigInt(start - 8), true)
  header.set(json, 8)
  for (const span of spans.values()) span.offset += start
  return { header, offsets: spans, size: start + position }
}

function metadataJson(metadata: Readonly<Record<string, string>>): string {
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string' || key === '__proto__') {
      throw new AwqError('INVALID_ARGUMENT', `metadata ${quoted(key)} must have a string value`)
    }
  }
  return JSON.stringify(metadata)
}
