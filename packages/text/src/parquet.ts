import { AwqError, type ByteSource, messageOf } from '@awq/tensor'
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet'
import { documentOf, recordFields } from './records.ts'
import type { ReadTextOptions } from './text-lines.ts'
import type { TextDocument } from './types.ts'

/** A row group is decoded in one piece; more than this would not fit in memory beside a model. */
const maxGroupBytes = 2 ** 30

/**
 * The documents of a parquet file, row by row, one row group in memory at a time. Only the columns that can hold text are read
 * (see `documentOf`), uncompressed or by snappy, gzip, zstd, brotli or lz4.
 * Throws `AwqError` INVALID_FILE for a damaged file or one without such a column.
 */
export async function* parquetDocuments(
  source: ByteSource,
  { signal }: ReadTextOptions = {},
): AsyncGenerator<TextDocument> {
  // Loaded when first needed: a browser page that reads no parquet should not carry its decompressors.
  const { compressors } = await import('hyparquet-compressors')
  const file = asyncBuffer(source, signal)
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (cause) {
      signal?.throwIfAborted()
      if (AwqError.is(cause)) throw cause
      throw new AwqError('INVALID_FILE', `${source.name} is a damaged parquet file: ${messageOf(cause)}`, { cause })
    }
  }
  const { metadata, columns, groups } = await guard(() => readLayout(file, source.name))
  let rowStart = 0
  for (const { bytes, rowCount } of groups) {
    signal?.throwIfAborted()
    if (bytes > maxGroupBytes) {
      throw new AwqError(
        'UNSUPPORTED',
        `${source.name} has a row group of ${bytes} bytes of text; at most ${maxGroupBytes} are read`,
      )
    }
    const rowEnd = rowStart + rowCount
    const range = { rowStart, rowEnd }
    const rows = await guard(() => parquetReadObjects({ file, metadata, columns, compressors, ...range }))
    for (const [i, row] of rows.entries()) yield documentOf(row, `${source.name} row ${rowStart + i + 1}`)
    rowStart = rowEnd
  }
}

interface Layout {
  readonly metadata: FileMetaData
  readonly columns: string[]
  /** Per row group: its rows, and the size of the wanted columns before compression. */
  readonly groups: readonly { readonly rowCount: number; readonly bytes: number }[]
}

async function readLayout(file: AsyncBuffer, name: string): Promise<Layout> {
  const metadata = await parquetMetadataAsync(file)
  const columns = textColumns(metadata, name)
  const groups = metadata.row_groups.map((group) => ({
    rowCount: Number(group.num_rows),
    bytes: group.columns
      .filter((column) => columns.includes(column.meta_data?.path_in_schema[0] ?? ''))
      .reduce((sum, column) => sum + Number(column.meta_data?.total_uncompressed_size ?? 0), 0),
  }))
  return { metadata, columns, groups }
}

function textColumns(metadata: FileMetaData, name: string): string[] {
  const present = parquetSchema(metadata).children.map((child) => child.element.name)
  const columns = recordFields.filter((field) => present.includes(field))
  // Lets documentOf say what was looked for and what was found.
  if (columns.length === 0) documentOf(Object.fromEntries(present.map((column) => [column, undefined])), name)
  return columns
}

function asyncBuffer(source: ByteSource, signal: AbortSignal | undefined): AsyncBuffer {
  const slice = async (start: number, end: number): Promise<ArrayBuffer> => {
    const from = Math.max(0, start)
    // Offsets come from the file and may be NaN, which no comparison of the opposite sense would catch.
    if (!(end <= source.size && end >= from)) {
      throw new AwqError('INVALID_FILE', `${source.name} is a damaged parquet file: it refers to bytes beyond its end`)
    }
    const bytes = await source.read(from, end - from, { signal })
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer
  }
  return {
    byteLength: source.size,
    slice(start, end = source.size) {
      const made = slice(start, end)
      // The reader asks for many slices ahead and may give up at another error before it awaits them all: a rejection
      // that nobody awaits would end the process.
      made.catch(() => undefined)
      return made
    },
  }
}
