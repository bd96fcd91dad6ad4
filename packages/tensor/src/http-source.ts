import { type BlobOptions, type ByteSource, checkRange, memorySource } from './byte-source.ts'
import { AwqError, messageOf } from './error.ts'

export interface HttpSourceOptions {
  /** Used instead of the global fetch: for a proxy, for tests. */
  readonly fetch?: typeof fetch | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly signal?: AbortSignal | undefined
  /** Give up on a request that sends nothing for this long, in milliseconds; default 30000. */
  readonly timeout?: number | undefined
  /** How often a request is repeated after a network error or a 429 or 5xx answer; default 2. */
  readonly retries?: number | undefined
  /** Takes an HTML page as "there is no such file": servers of pages send one in place of what they lack. Default false. */
  readonly refusePages?: boolean | undefined
}

/** A file this small is downloaded whole when its server does not support Range. */
const smallFileBytes = 32 * 2 ** 20

/** An answer that may be better next time, so that the request is repeated. */
class Transient extends Error {}

/**
 * A source over a URL by HTTP range requests (RFC 9110, section 14). One byte is asked for to learn the size. Every
 * answer must be a 206 with the Content-Range and the length asked for, and carry the ETag of the first one. A server
 * that ignores Range is refused (UNSUPPORTED) unless the file is at most 32 MiB, which is then kept in memory.
 * Throws NOT_FOUND (404, 410), NETWORK for every other failure, INVALID_FILE when the file changed on the server.
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
    return { bytes: await readWhole(response, name, touch) }
  })
  if (probe.bytes !== undefined) return memorySource(probe.bytes, name)
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

/** The URL for messages, without user, password and query, which may hold a secret. */
function withoutCredentials(url: string | URL): string {
  try {
    const { origin, pathname } = new URL(url, globalThis.location?.href)
    return origin === 'null' ? String(url) : origin + pathname
  } catch (cause) {
    throw new AwqError('INVALID_ARGUMENT', `${JSON.stringify(String(url))} is not a URL`, { cause })
  }
}

/** One request with its timeout and repetitions; `use` reads the answer and calls `touch` when bytes arrive. */
async function request<T>(
  name: string,
  url: string | URL,
  range: string,
  options: HttpSourceOptions,
  use: (response: Response, touch: () => void) => Promise<T>,
): Promise<T> {
  const { timeout = 30_000, retries = 2, signal } = options
  for (let attempt = 0; ; attempt++) {
    signal?.throwIfAborted()
    const stalled = new AbortController()
    const expire = () => stalled.abort(new Transient(`no bytes for ${timeout / 1000} s`))
    let timer = setTimeout(expire, timeout)
    const touch = () => {
      clearTimeout(timer)
      timer = setTimeout(expire, timeout)
    }
    try {
      const response = await (options.fetch ?? fetch)(url, {
        headers: { ...options.headers, range },
        signal: signal ? AbortSignal.any([signal, stalled.signal]) : stalled.signal,
      })
      await checkStatus(response, name)
      return await use(response, touch)
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      if (AwqError.is(error)) throw error
      if (attempt >= retries) throw networkError(name, error)
      await pause(250 * 2 ** attempt, signal)
    } finally {
      clearTimeout(timer)
    }
  }
}

async function checkStatus(response: Response, name: string): Promise<void> {
  const { status } = response
  if (status === 200 || status === 206 || status === 416) return
  await response.body?.cancel()
  if (status === 429 || status >= 500) throw new Transient(`the server answered ${status}`)
  if (status === 404 || status === 410) throw new AwqError('NOT_FOUND', `${name} does not exist (HTTP ${status})`)
  const hint = status === 401 || status === 403 ? '; it may need an Authorization header' : ''
  throw new AwqError('NETWORK', `${name}: the server answered ${status}${hint}`)
}

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

/** The whole body of an answer to an ignored Range, as long as it is small. */
async function readWhole(response: Response, name: string, touch: () => void): Promise<Uint8Array> {
  const refuse = async (): Promise<never> => {
    await response.body?.cancel().catch(() => undefined)
    const problem = `the server does not support range requests and the file exceeds ${smallFileBytes} bytes`
    throw new AwqError('UNSUPPORTED', `${name}: ${problem}; download it first`)
  }
  if (Number(response.headers.get('content-length') ?? 0) > smallFileBytes) await refuse()
  const chunks: Uint8Array[] = []
  let total = 0
  for await (const chunk of bodyOf(response)) {
    touch()
    total += chunk.length
    // Leaving the loop cancels the body.
    if (total > smallFileBytes) break
    chunks.push(chunk)
  }
  if (total > smallFileBytes) await refuse()
  const bytes = new Uint8Array(total)
  let position = 0
  for (const chunk of chunks) {
    bytes.set(chunk, position)
    position += chunk.length
  }
  return bytes
}

/** The chunks of an answer, which together must have a length. */
async function* exactChunks(response: Response, length: number, touch: () => void): AsyncGenerator<Uint8Array> {
  let position = 0
  for await (const chunk of bodyOf(response)) {
    touch()
    position += chunk.length
    if (position > length) throw new Transient(`more than the ${length} bytes asked for`)
    yield chunk
  }
  if (position < length) throw new Transient(`${position} of ${length} bytes, then the connection ended`)
}

async function joined(chunks: AsyncIterable<Uint8Array>, length: number): Promise<Uint8Array> {
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
async function blobOf(chunks: AsyncIterable<Uint8Array>, onBytes: BlobOptions['onBytes']): Promise<Blob> {
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
async function* bodyOf(response: Response): AsyncGenerator<Uint8Array> {
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

function networkError(name: string, error: unknown): AwqError {
  // fetch says "fetch failed"; what happened is in its cause.
  const reason = messageOf(error instanceof TypeError && error.cause !== undefined ? error.cause : error)
  return new AwqError('NETWORK', `${name} could not be read: ${reason}`, { cause: error })
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, milliseconds)
    signal?.addEventListener('abort', stop, { once: true })
  })
}
