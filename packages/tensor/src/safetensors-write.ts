import { AwqError, quoted } from './error.ts'
import { safetensorsHeader, type TensorDeclaration } from './safetensors-header.ts'

/** Where bytes go, in order. */
export interface ByteSink {
  write(bytes: Uint8Array): Promise<void>
  /** Everything was written: make it visible. */
  close?(): Promise<void>
  /** Writing failed: leave nothing behind. */
  abort?(reason: unknown): Promise<void>
}

/** A tensor to write. Give `data` as a function to make its bytes only when their turn comes. */
export interface TensorToWrite extends TensorDeclaration {
  readonly data: Uint8Array | (() => Uint8Array | Promise<Uint8Array>)
}

export interface WriteOptions {
  readonly metadata?: Readonly<Record<string, string>> | undefined
  readonly signal?: AbortSignal | undefined
  /** After every tensor; bytes written so far and in all. */
  readonly onProgress?: ((event: { tensor: string; written: number; total: number }) => void) | undefined
}

/**
 * Writes a safetensors file to `sink` in one pass, tensors in the order given, one at a time in memory. The header
 * comes first, so an async iterable is read to its end before anything is written: let its `data` be functions.
 * Throws INVALID_ARGUMENT when the data of a tensor has another length than its dtype and shape; the sink is then
 * aborted, as it is on every other failure.
 */
export async function writeSafetensors(
  entries: Iterable<TensorToWrite> | AsyncIterable<TensorToWrite>,
  sink: ByteSink,
  options: WriteOptions = {},
): Promise<void> {
  try {
    const tensors: TensorToWrite[] = []
    for await (const entry of entries) tensors.push(entry)
    const { header, offsets, size } = safetensorsHeader(tensors, options.metadata)
    options.signal?.throwIfAborted()
    await sink.write(header)
    let written = header.length
    for (const { name, data } of tensors) {
      const bytes = typeof data === 'function' ? await data() : data
      options.signal?.throwIfAborted()
      const expected = offsets.get(name)!.length
      if (bytes.length !== expected) {
        throw new AwqError(
          'INVALID_ARGUMENT',
          `tensor ${quoted(name)}: ${bytes.length} bytes given, ${expected} needed`,
        )
      }
      await sink.write(bytes)
      written += bytes.length
      options.onProgress?.({ tensor: name, written, total: size })
    }
    await sink.close?.()
  } catch (error) {
    await sink.abort?.(error)
    throw error
  }
}

/** A sink in memory; `bytes()` gives what was written so far, in one array. */
export function memorySink(): ByteSink & { bytes(): Uint8Array } {
  const parts: Uint8Array[] = []
  return {
    async write(bytes) {
      parts.push(bytes.slice())
    },
    bytes() {
      const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
      let position = 0
      for (const part of parts) {
        result.set(part, position)
        position += part.length
      }
      return result
    },
  }
}
