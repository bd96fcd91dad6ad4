import { AwqError, type ByteSource, messageOf } from '@awq/tensor'
import { readJsonLines } from './json-lines.ts'
import { parquetDocuments } from './parquet.ts'
import { documentOf } from './records.ts'
import { type ReadTextOptions, textChunks, textLines } from './text-lines.ts'
import type { TextDocument } from './types.ts'

/** A plain text longer than this is given out in several documents, cut at line ends, so that it never is in memory whole. */
const longText = 16 * 2 ** 20

/** A JSON file is parsed in one piece; data sets of this size come as JSONL. */
const maxJsonBytes = 256 * 2 ** 20

/**
 * The documents of a file, in order, read as a stream:
 * - parquet, by its first bytes: one document per row;
 * - `.jsonl`, `.ndjson`: one per line; `.json`: one per element of the list (or of its `data`, `rows`, … list), or JSONL after all;
 * - anything else is plain text: the whole file is ONE document (a file above 16 MiB is cut at line ends).
 * Any of the text forms may be packed by gzip (`.gz`). Rows without text are left out.
 * Throws `AwqError`: INVALID_FILE for an empty or binary file, damaged JSON (with the line), or records without a known field.
 */
export async function* readTexts(source: ByteSource, options: ReadTextOptions = {}): AsyncGenerator<TextDocument> {
  if (source.size === 0) throw new AwqError('INVALID_FILE', `${source.name} is empty`)
  let any = false
  for await (const document of await documentsOf(source, options)) {
    options.signal?.throwIfAborted()
    if (typeof document === 'string' ? document.trim() === '' : Array.isArray(document) && document.length === 0)
      continue
    any = true
    yield document
  }
  if (!any) throw new AwqError('INVALID_FILE', `${source.name} contains no text`)
}

async function documentsOf(source: ByteSource, options: ReadTextOptions): Promise<AsyncGenerator<TextDocument>> {
  const magic = new TextDecoder().decode(await source.read(0, Math.min(4, source.size)))
  const name = source.name.toLowerCase().replace(/[?#].*$/, '')
  if (magic === 'PAR1') return parquetDocuments(source, options)
  if (name.endsWith('.parquet'))
    throw new AwqError('INVALID_FILE', `${source.name} is not a parquet file (it does not begin with PAR1)`)
  if (/\.(jsonl|ndjson)(\.gz)?$/.test(name)) return jsonLines(source, options)
  if (/\.json(\.gz)?$/.test(name)) return jsonFile(source, options)
  return plainText(source, options)
}

async function* plainText(source: ByteSource, options: ReadTextOptions): AsyncGenerator<string> {
  let pieces: string[] = []
  let length = 0
  for await (const chunk of textChunks(source, options)) {
    const lineEnd = length + chunk.length > longText ? chunk.lastIndexOf('\n') : -1
    if (lineEnd === -1) {
      pieces.push(chunk)
      length += chunk.length
      continue
    }
    yield pieces.join('') + chunk.slice(0, lineEnd)
    pieces = [chunk.slice(lineEnd)]
    length = chunk.length - lineEnd
  }
  yield pieces.join('')
}

async function* jsonLines(source: ByteSource, options: ReadTextOptions): AsyncGenerator<TextDocument> {
  for await (const { value, where } of readJsonLines(source, options)) yield documentOf(value, where)
}

async function* jsonFile(source: ByteSource, options: ReadTextOptions): AsyncGenerator<TextDocument> {
  if (await looksLikeJsonLines(source, options)) {
    yield* jsonLines(source, options)
    return
  }
  if (source.size > maxJsonBytes) {
    throw new AwqError('UNSUPPORTED', `${source.name} has ${source.size} bytes; a JSON file this large must be JSONL`)
  }
  const pieces: string[] = []
  for await (const chunk of textChunks(source, options)) pieces.push(chunk)
  let value: unknown
  try {
    value = JSON.parse(pieces.join(''))
  } catch (cause) {
    throw new AwqError('INVALID_FILE', `${source.name} is not valid JSON: ${messageOf(cause)}`, { cause })
  }
  for (const [i, record] of listIn(value).entries()) yield documentOf(record, `${source.name} element ${i}`)
}

/** Many data sets name their JSONL files .json: the first line then is a whole object, and more lines follow. */
async function looksLikeJsonLines(source: ByteSource, options: ReadTextOptions): Promise<boolean> {
  let first: string | undefined
  for await (const { text } of textLines(source, options)) {
    if (text.trim() === '') continue
    if (first !== undefined) return true
    first = text
    if (!first.trimStart().startsWith('{')) return false
    try {
      JSON.parse(first)
    } catch {
      return false
    }
  }
  return false
}

/** The list of records in a JSON file: the file itself, a list under a usual name, or a single record. */
function listIn(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  for (const name of ['data', 'rows', 'train', 'examples', 'texts']) {
    if (Array.isArray(fields[name])) return fields[name]
  }
  return [value]
}
