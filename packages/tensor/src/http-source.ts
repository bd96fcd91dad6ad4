import { type BlobOptions, type ByteSource, checkRange, memorySource } from './byte-source.ts'
import { AwqError } from './error.ts'
import { blobOf, bodyOf, exactChunks, joined } from './http-body.ts'
import { type HttpSourceOptions, request, withoutCredentials } from './http-request.ts'
import { wholeSource } from './whole-source.ts'

export type { HttpSourceOptions } from './http-request.ts'

/** A file this small is downloaded whole when its server does not support Range. */
const smallFileBytes = 32 * 2 ** 20

/**
 * A source over a URL by HTTP range requests (RFC 9110, section 14). One byte is asked for to learn the size. Every
 * answer must be a 206 with the Content-Range and the length asked for, and carry the ETag of the first one. A server
 * that ignores Range gives files whole: one of at most 32 MiB is kept in memory, a larger one is a `wholeSource`.
 * Throws UNSUPPORTED for a larger one whose length the server does not tell, NOT_FOUND (404, 410), NETWORK for every other failure, INVALID_FILE when the file changed on the server.
 */
export async function httpSource(url: string | URL, options: HttpSourceOptions = {}): Promise<ByteSource> {
  const name = withoutCredentials(url)
  const probe = await request(name, url, 'bytes=0-0', options, async (response, touch) => {
    await refusePage(response, name, options)
    if (response.status === 416 && contentRange(response)?.total === 0) return { size: 0, etag: null }
    if (response.status === 206) {
      const range = contentRange(response)
      await response.body?.cancel()
      if (range !== undefined) return { size: range.total, etag: response.headers.get('etag') }
      throw new AwqError('NETWORK', `${name}: the answer has no (or no readable) Content-Range header; ${exposeHint}`)
    }
    return readWhole(response, name, touch)
  })
  if ('bytes' in probe) return memorySource(probe.bytes, name)
  if ('wholeSize' in probe) return wholeSource({ name, url, size: probe.wholeSize, version: probe.version, options })
  const { size, etag } = probe
  const part = <T>(
    offset: number,
    length: number,
    signal: AbortSignal | undefined,
    use: (chunks: AsyncIterable<Uint8Array>) => Promise<T>,
  ): Promise<T> => {
    signal?.throwIfAborted()
    const signals = [options.signal, signal].filter((one) => one !== undefined)
    const each = signals.length > 0 ? { ...options, signal: AbortSignal.any(signals) } : options
    return request(name, url, `bytes=${offset}-${offset + length - 1}`, each, async (response, touch) => {
      checkPart(response, name, { offset, length, size, etag })
      return use(exactChunks(response, length, touch))
    })
  }
  return {
    name,
    size,
    ...(etag ? { version: etag } : {}),
    async read(offset, length, readOptions) {
      checkRange(name, size, offset, length)
      if (length === 0) return new Uint8Array(0)
      return part(offset, length, readOptions?.signal, async (chunks) => joined(chunks, length))
    },
    async blob(offset: number, length: number, { signal, onBytes }: BlobOptions = {}) {
      checkRange(name, size, offset, length)
      if (length === 0) return new Blob([])
      return part(offset, length, signal, (chunks) => blobOf(chunks, onBytes))
    },
  }
}

/** Throws NOT_FOUND for a page that was sent in place of a file. */
async function refusePage(response: Response, name: string, { refusePages }: HttpSourceOptions): Promise<void> {
  if (!refusePages || !/^text\/html\b/i.test(response.headers.get('content-type') ?? '')) return
  await response.body?.cancel().catch(() => undefined)
  throw new AwqError('NOT_FOUND', `${name} does not exist (the server sends a page instead)`)
}

const exposeHint = 'a browser needs "Access-Control-Expose-Headers: Content-Range, ETag" from another origin'

/** The Content-Range `bytes START-END/TOTAL`, or of an unsatisfied one (`bytes * /TOTAL`) the total. */
function contentRange(response: Response): { start: number; end: number; total: number } | undefined {
  const match = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+)$/.exec(response.headers.get('content-range') ?? '')
  if (match === null) return undefined
  const total = Number(match[3])
  return Number.isSafeInteger(total) ? { start: Number(match[1]), end: Number(match[2]), total } : undefined
}

interface Expected {
  readonly offset: number
  readonly length: number
  readonly size: number
  readonly etag: string | null | undefined
}

/** Throws unless the answer is exactly the part asked for, of the same version of the file. */
function checkPart(response: Response, name: string, { offset, length, size, etag }: Expected): void {
  const range = contentRange(response)
  const answered = response.headers.get('etag')
  if ((etag && answered && etag !== answered) || (range !== undefined && range.total !== size)) {
    throw new AwqError('INVALID_FILE', `${name} was changed on the server while it was read; open it again`)
  }
  if (response.status !== 206 || range?.start !== offset || range.end !== offset + length - 1) {
    const got = `${response.status} ${response.headers.get('content-range') ?? 'without Content-Range'}`
    throw new AwqError('NETWORK', `${name}: asked for ${length} bytes at ${offset}, the server answered ${got}`)
  }
}

/** What answers to an ignored Range are: bytes when they are few, else how many there are. */
type Whole = { readonly bytes: Uint8Array } | { readonly wholeSize: number; readonly version: string | undefined }

/** Reads an answer to an ignored Range, as long as it is small. */
async function readWhole(response: Response, name: string, touch: () => void): Promise<Whole> {
  const { headers } = response
  // Of a packed answer the length is another one.
  const stated = headers.has('content-encoding') ? 0 : Number(headers.get('content-length') ?? 0)
  if (Number.isSafeInteger(stated) && stated > smallFileBytes) {
    await response.body?.cancel().catch(() => undefined)
    return { wholeSize: stated, version: headers.get('etag') ?? headers.get('last-modified') ?? undefined }
  }
  const chunks: Uint8Array[] = []
  let total = 0
  for await (const chunk of bodyOf(response)) {
    touch()
    total += chunk.length
    if (total > smallFileBytes) {
      // Leaving the loop cancels the body.
      const problem = `the server supports no range requests and does not tell the file's length, over ${smallFileBytes} bytes`
      throw new AwqError('UNSUPPORTED', `${name}: ${problem}; download it first`)
    }
    chunks.push(chunk)
  }
  const bytes = new Uint8Array(total)
  let position = 0
  for (const chunk of chunks) {
    bytes.set(chunk, position)
    position += chunk.length
  }
  return { bytes }
}
