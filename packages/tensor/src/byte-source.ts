import { AwqError } from './error.ts'

/** Random access to bytes that need not be in memory: a file, a URL, a Blob, an array. */
export interface ByteSource {
  /** Another one when the content is another: an ETag, the time of a change. Absent where nothing tells. */
  readonly version?: string | undefined
  /** What error messages call it: a path, a URL or a file name. */
  readonly name: string
  /** Length in bytes. */
  readonly size: number
  /**
   * Exactly `length` bytes from `offset`, in an array that belongs to the caller.
   * Throws INVALID_ARGUMENT for a range outside the source, INVALID_FILE or NETWORK when the bytes are not there.
   */
  read(offset: number, length: number, options?: { signal?: AbortSignal | undefined }): Promise<Uint8Array>
  /**
   * The same bytes as a Blob, which reads them when they are needed and can be handed to a Worker: for sources that lie in
   * a Blob or a file of the browser, or that can be downloaded into one. Throws INVALID_ARGUMENT for a range outside the
   * source.
   */
  blob?(offset: number, length: number, options?: BlobOptions): Blob | Promise<Blob>
  /** True while `blob` fetches nothing: what it gives lies in this browser. */
  readonly localBlob?: boolean | undefined
  /**
   * True while a part can only be had by fetching all that lies before it: `download` first. Servers without range requests are
   * so.
   */
  readonly wholeOnly?: boolean | undefined
  /** Fetches the whole file at once into the copy that the source keeps, so that later reads are local. */
  download?(options?: DownloadOptions): Promise<void>
  close?(): Promise<void>
}

/** How a Blob is fetched. */
export interface BlobOptions {
  readonly signal?: AbortSignal | undefined
  /** Told of bytes as they arrive, where they come over a network: how many more. */
  readonly onBytes?: ((count: number) => void) | undefined
}

/** How a whole file is fetched. */
export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined
  /** Told how many bytes of the file are there. */
  readonly onProgress?: ((loaded: number) => void) | undefined
}

/** Some bytes of a file that lies in a folder known from elsewhere. */
export interface FileRange {
  /** Name in the folder. */
  readonly file: string
  /** From the start of the file. */
  readonly offset: number
  readonly length: number
}

/** Throws INVALID_ARGUMENT unless [offset, offset + length) lies within a source of that name and size. */
export function checkRange(name: string, size: number, offset: number, length: number): void {
  const integers = Number.isSafeInteger(offset) && Number.isSafeInteger(length)
  if (!integers || offset < 0 || length < 0 || offset > size - length) {
    throw new AwqError('INVALID_ARGUMENT', `${name}: ${length} bytes at ${offset} lie outside its ${size} bytes`)
  }
}

/** A source over bytes in memory. They are not copied, so do not change them while the source is in use. */
export function memorySource(bytes: Uint8Array, name = 'memory'): ByteSource {
  return {
    name,
    size: bytes.length,
    async read(offset, length, options) {
      options?.signal?.throwIfAborted()
      checkRange(name, bytes.length, offset, length)
      return bytes.slice(offset, offset + length)
    },
  }
}

/** A source over a Blob, which includes the File of an <input> and of the origin-private file system. */
export function blobSource(blob: Blob, name = blob instanceof File ? blob.name : 'blob'): ByteSource {
  return {
    name,
    size: blob.size,
    ...(blob instanceof File ? { version: String(blob.lastModified) } : {}),
    async read(offset, length, options) {
      options?.signal?.throwIfAborted()
      checkRange(name, blob.size, offset, length)
      try {
        const buffer = await blob.slice(offset, offset + length).arrayBuffer()
        options?.signal?.throwIfAborted()
        return new Uint8Array(buffer)
      } catch (cause) {
        if (options?.signal?.aborted) throw options.signal.reason
        throw new AwqError('IO', `${name}: cannot be read; was the file changed or moved since it was chosen?`, {
          cause,
        })
      }
    },
    localBlob: true,
    blob(offset, length) {
      checkRange(name, blob.size, offset, length)
      return blob.slice(offset, offset + length)
    },
  }
}
