/**
 * The bodies of answers, as they come.
 * @module
 */
import type { BlobOptions } from './byte-source.ts'
import { Transient } from './http-request.ts'

/** The chunks of an answer, which together must have a length. */
export async function* exactChunks(response: Response, length: number, touch: () => void): AsyncGenerator<Uint8Array> {
  let position = 0
  for await (const chunk of bodyOf(response)) {
    touch()
    position += chunk.length
    if (position > length) throw new Transient(`more than the ${length} bytes asked for`)
    yield chunk
  }
  if (position < length) throw new Transient(`${position} of ${length} bytes, then the connection ended`)
}

/** All chunks, which have a length together. */
export async function joined(chunks: AsyncIterable<Uint8Array>, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let position = 0
  for await (const chunk of chunks) {
    bytes.set(chunk, position)
    position += chunk.length
  }
  return bytes
}

/** Bytes of chunks that become a part of a Blob together. */
const blobPartBytes = 2 ** 20

/** Chunks as a Blob. Its parts leave JavaScript's memory as they come; those of an attempt that failed are dropped. */
export async function blobOf(chunks: AsyncIterable<Uint8Array>, onBytes: BlobOptions['onBytes']): Promise<Blob> {
  const parts: Blob[] = []
  let held: Uint8Array[] = []
  let bytes = 0
  let told = 0
  const flush = (): void => {
    parts.push(new Blob(held as Uint8Array<ArrayBuffer>[]))
    onBytes?.(bytes)
    told += bytes
    held = []
    bytes = 0
  }
  try {
    for await (const chunk of chunks) {
      held.push(chunk)
      bytes += chunk.length
      if (bytes >= blobPartBytes) flush()
    }
    flush()
  } catch (error) {
    onBytes?.(-told)
    throw error
  }
  return new Blob(parts)
}

/** The chunks of a body. Not every browser's ReadableStream is async iterable, so a reader is used. */
export async function* bodyOf(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader()
  if (reader === undefined) return
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}
