/**
 * Where a store is written to: files that already have their final size and take bytes at any offset. The folder of a
 * disk in Node; a browser's private file system or plain memory fit the same four methods.
 */
export interface StoreSink {
  /** What messages call it. */
  readonly name: string
  /** Writes all of `bytes` at an offset of a file. */
  write(file: string, offset: number, bytes: Uint8Array): Promise<void>
  /** Resolves when everything written so far would survive a loss of power. */
  flush(): Promise<void>
  /** Releases the files; what was written stays. */
  close(): Promise<void>
}

/** A sink in memory; `files` holds what was written. For tests, and for small models in a browser. */
export function memoryStoreSink(
  sizes: Iterable<{ readonly name: string; readonly size: number }>,
): StoreSink & { readonly files: Record<string, Uint8Array> } {
  const files = Object.fromEntries(Array.from(sizes, ({ name, size }) => [name, new Uint8Array(size)]))
  return {
    name: 'memory',
    files,
    async write(file, offset, bytes) {
      files[file]?.set(bytes, offset)
    },
    async flush() {},
    async close() {},
  }
}
