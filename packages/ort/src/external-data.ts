/**
 * External data of a graph on its way to ONNX Runtime: bytes as they are, Blobs read before the session is made or, where
 * the thread may wait for them, when ONNX Runtime asks for a range.
 * @module
 */
import { AwqError, messageOf } from '@awq/tensor'

/** What Workers of browsers have, and pages have not. */
declare const FileReaderSync: new () => { readAsArrayBuffer(blob: Blob): ArrayBuffer }

/** By the file name that the graph uses. */
type ExternalData = Readonly<Record<string, Uint8Array | Blob>>

const cannotRead = (name: string, cause: unknown): AwqError =>
  new AwqError(
    'IO',
    `external data ${name} cannot be read (${messageOf(cause)}); was its file changed or moved, or its copy removed from this browser?`,
    {
      cause,
    },
  )

/** Bytes of all the data. Throws `IO` for a Blob that cannot be read. */
export async function readExternalData(
  data: ExternalData,
  signal?: AbortSignal | undefined,
): Promise<Record<string, Uint8Array>> {
  const read: Record<string, Uint8Array> = {}
  for (const [name, part] of Object.entries(data)) {
    signal?.throwIfAborted()
    if (part instanceof Uint8Array) {
      read[name] = part
      continue
    }
    try {
      read[name] = new Uint8Array(await part.arrayBuffer())
    } catch (cause) {
      throw cannotRead(name, cause)
    }
  }
  return read
}

/** What reading on demand came to. */
export interface LazyReads {
  /** The data in the form that onnxruntime-web takes. */
  readonly data: Record<string, Uint8Array>
  /** The most bytes that were held at a time. */
  readonly largest: () => number
  /** Why a range could not be read: ONNX Runtime itself says only that there was a failure. */
  readonly failure: () => AwqError | undefined
}

/** Whether this thread may wait for a Blob's bytes: Workers of browsers may. */
export const canWaitForBlobs = (): boolean => 'FileReaderSync' in globalThis

/**
 * Data whose Blobs are read when a range is asked for. onnxruntime-web 1.30 takes arrays, of which its heap's loader uses
 * `byteLength` and `subarray(start, end)` alone: so an array without elements that answers these two stands for a Blob.
 */
export function lazyExternalData(data: ExternalData): LazyReads {
  let largest = 0
  let failure: AwqError | undefined
  const read = (name: string, blob: Blob, start: number, end: number): Uint8Array => {
    try {
      const bytes = new Uint8Array(new FileReaderSync().readAsArrayBuffer(blob.slice(start, end)))
      largest = Math.max(largest, bytes.length)
      return bytes
    } catch (cause) {
      failure ??= cannotRead(name, cause)
      throw failure
    }
  }
  const entries = Object.entries(data).map(([name, part]): [string, Uint8Array] => {
    if (part instanceof Uint8Array) return [name, part]
    const stand = Object.defineProperties(new Uint8Array(), {
      byteLength: { value: part.size },
      subarray: { value: (start: number, end: number) => read(name, part, start, end) },
    })
    return [name, stand]
  })
  return { data: Object.fromEntries(entries), largest: () => largest, failure: () => failure }
}
