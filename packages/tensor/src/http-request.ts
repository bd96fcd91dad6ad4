/**
 * Requests with a time to give up and repetitions.
 * @module
 */
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

/** An answer that may be better next time, so that the request is repeated. */
export class Transient extends Error {}

/** The URL for messages, without user, password and query, which may hold a secret. */
export function withoutCredentials(url: string | URL): string {
  try {
    const { origin, pathname } = new URL(url, globalThis.location?.href)
    return origin === 'null' ? String(url) : origin + pathname
  } catch (cause) {
    throw new AwqError('INVALID_ARGUMENT', `${JSON.stringify(String(url))} is not a URL`, { cause })
  }
}

/** One request, for a range or for the whole file, with its timeout and repetitions; `use` reads the answer and calls `touch` when bytes arrive. */
export async function request<T>(
  name: string,
  url: string | URL,
  range: string | undefined,
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
        headers: { ...options.headers, ...(range === undefined ? {} : { range }) },
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

export function networkError(name: string, error: unknown): AwqError {
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
