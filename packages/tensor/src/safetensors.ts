import type { ByteSource, FileRange } from './byte-source.ts'
import { toFloat32 } from './convert.ts'
import { byteWidth, type DType, elementCount } from './dtype.ts'
import { AwqError } from './error.ts'
import { releaseArrays } from './release.ts'
import { readSafetensorsHeader, type TensorLocation } from './safetensors-header.ts'

/** Which part of a tensor to read, and how to stop. */
export interface ReadOptions {
  /** Rows [start, end) of the first dimension; all of them by default. */
  readonly rows?: readonly [start: number, end: number] | undefined
  readonly signal?: AbortSignal | undefined
}

/** One tensor of a checkpoint; its bytes stay in the file until they are read. */
export interface TensorEntry extends FileRange {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /** Its little-endian bytes, in an array of the caller's own. Throws INVALID_ARGUMENT for rows it does not have. */
  read(options?: ReadOptions): Promise<Uint8Array>
}

/** Named tensors over one or many files. */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly metadata: Record<string, string>
  /** Closes the files. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Opens a safetensors file: only its header is read, and checked as `readSafetensorsHeader` says. The source is closed
 * with the checkpoint, or when this throws. `file` is the name the entries carry, the source's name by default.
 */
export async function openSafetensors(
  source: ByteSource,
  options?: { file?: string; signal?: AbortSignal | undefined },
): Promise<Checkpoint> {
  const close = async () => source.close?.()
  try {
    const header = await readSafetensorsHeader(source, options)
    const file = options?.file ?? source.name
    const tensors = new Map(header.tensors.map((location) => [location.name, tensorEntry(source, file, location)]))
    return {
      tensors,
      metadata: Object.fromEntries(header.metadata),
      close,
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function tensorEntry(source: ByteSource, file: string, location: TensorLocation): TensorEntry {
  return {
    ...location,
    file,
    async read(options) {
      const { offset, length } = rowSpan(location, options?.rows)
      return source.read(offset, length, { signal: options?.signal })
    },
  }
}

/** The bytes of rows [start, end) of a tensor. */
function rowSpan(tensor: TensorLocation, rows: ReadOptions['rows']): { offset: number; length: number } {
  if (rows === undefined) return tensor
  const [start, end] = rows
  const height = tensor.shape[0]
  const valid = Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end
  if (height === undefined || !valid || end > height) {
    const shape = `[${tensor.shape.join(', ')}]`
    throw new AwqError('INVALID_ARGUMENT', `${tensor.name} ${shape} has no rows ${start} to ${end}`)
  }
  const rowBytes = elementCount(tensor.shape.slice(1)) * byteWidth[tensor.dtype]
  return {
    offset: tensor.offset + start * rowBytes,
    length: (end - start) * rowBytes,
  }
}

/** A tensor, or rows of it, as float32 by `toFloat32`. The array is the caller's own. */
export async function readFloat32(entry: TensorEntry, options?: ReadOptions): Promise<Float32Array> {
  const bytes = await entry.read(options)
  const values = toFloat32(bytes, entry.dtype)
  releaseArrays([bytes])
  return values
}
