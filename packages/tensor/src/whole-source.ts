import { type ByteSource, checkRange } from './byte-source.ts'
import { AwqError } from './error.ts'
import { blobOf, bodyOf, exactChunks } from './http-body.ts'
import { type HttpSourceOptions, networkError, request } from './http-request.ts'

/** A file that its server sends whole. */
interface WholeFile {
  readonly name: string
  readonly url: string | URL
  readonly size: number
  readonly version: string | undefined
  readonly options: HttpSourceOptions
}

/** An answer that is being read. */
interface Flow {
  readonly chunks: AsyncGenerator<Uint8Array>
  /** Bytes that came and were not asked for yet, the first of them at `position`. */
  rest: Uint8Array
  position: number
  readonly stop: () => void
}

/** Begins to fetch the file, which ends with an error when nothing comes for too long. */
const begin = async ({ name, url, options }: WholeFile): Promise<Flow> => {
  const { timeout = 30_000, headers, signal } = options
  const ended = new AbortController()
  const expire = (): void => ended.abort(new Error(`no bytes for ${timeout / 1000} s`))
  let timer = setTimeout(expire, timeout)
  const stop = (): void => {
    clearTimeout(timer)
    ended.abort(new Error('it is not wanted any more'))
  }
  const response = await (options.fetch ?? fetch)(url, {
    headers: { ...headers },
    signal: signal ? AbortSignal.any([signal, ended.signal]) : ended.signal,
  })
  if (response.status !== 200) {
    stop()
    throw new AwqError('NETWORK', `${name}: the server answered ${response.status}`)
  }
  // The time of whoever reads does not count.
  async function* timed(): AsyncGenerator<Uint8Array> {
    const chunks = bodyOf(response)
    try {
      for (;;) {
        clearTimeout(timer)
        timer = setTimeout(expire, timeout)
        const { done, value } = await chunks.next()
        clearTimeout(timer)
        if (done) return
        yield value
      }
    } finally {
      stop()
    }
  }
  return { chunks: timed(), rest: new Uint8Array(0), position: 0, stop }
}

/** Exactly so many bytes from a place that is not behind. */
const take = async (flow: Flow, name: string, offset: number, length: number): Promise<Uint8Array> => {
  const bytes = new Uint8Array(length)
  let filled = 0
  for (;;) {
    const skipped = Math.min(flow.rest.length, offset - flow.position)
    if (skipped > 0) advance(flow, skipped)
    if (flow.position === offset + filled) {
      const part = flow.rest.subarray(0, length - filled)
      bytes.set(part, filled)
      filled += part.length
      advance(flow, part.length)
    }
    if (filled === length) return bytes
    const { done, value } = await flow.chunks.next()
    if (done) {
      throw new AwqError('NETWORK', `${name}: the connection ended after ${flow.position} bytes; try again`)
    }
    flow.rest = value
  }
}

const advance = (flow: Flow, count: number): void => {
  flow.rest = flow.rest.subarray(count)
  flow.position += count
}

/**
 * A source over a file that its server sends only whole. Parts that are read in order come from one answer; a part that lies
 * behind begins it anew. `download` fetches it into a Blob, which browsers keep outside of JavaScript's memory.
 */
export const wholeSource = (file: WholeFile): ByteSource => {
  const { name, url, size, version, options } = file
  let whole: Blob | undefined
  let fetching: Promise<Blob> | undefined
  let flow: Flow | undefined
  let turn: Promise<unknown> = Promise.resolve()

  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const made = turn.then(task)
    turn = made.catch(() => undefined)
    return made
  }
  const readOn = async (offset: number, length: number, signal: AbortSignal | undefined): Promise<Uint8Array> => {
    signal?.throwIfAborted()
    if (whole) return new Uint8Array(await whole.slice(offset, offset + length).arrayBuffer())
    const halt = (): void => flow?.stop()
    signal?.addEventListener('abort', halt, { once: true })
    try {
      if (flow && flow.position > offset) {
        flow.stop()
        flow = undefined
      }
      flow ??= await begin(file)
      signal?.throwIfAborted()
      return await take(flow, name, offset, length)
    } catch (error) {
      flow?.stop()
      flow = undefined
      signal?.throwIfAborted()
      options.signal?.throwIfAborted()
      throw AwqError.is(error) ? error : networkError(name, error)
    } finally {
      signal?.removeEventListener('abort', halt)
    }
  }
  const fetchWhole = async (signal: AbortSignal | undefined, onBytes: ((count: number) => void) | undefined) => {
    const signals = [options.signal, signal].filter((one) => one !== undefined)
    const each = signals.length > 0 ? { ...options, signal: AbortSignal.any(signals) } : options
    return request(name, url, undefined, each, (response, touch) => blobOf(exactChunks(response, size, touch), onBytes))
  }
  const wholeBlob = async (signal?: AbortSignal, onBytes?: (count: number) => void): Promise<Blob> => {
    if (whole) return whole
    fetching ??= inTurn(() => fetchWhole(signal, onBytes)).finally(() => {
      fetching = undefined
    })
    whole = await fetching
    flow?.stop()
    flow = undefined
    return whole
  }
  return {
    name,
    size,
    ...(version === undefined ? {} : { version }),
    get wholeOnly() {
      return whole === undefined
    },
    get localBlob() {
      return whole !== undefined
    },
    async read(offset, length, readOptions) {
      checkRange(name, size, offset, length)
      if (length === 0) return new Uint8Array(0)
      return inTurn(() => readOn(offset, length, readOptions?.signal))
    },
    async blob(offset, length, { signal, onBytes } = {}) {
      checkRange(name, size, offset, length)
      return (await wholeBlob(signal, onBytes)).slice(offset, offset + length)
    },
    async download({ signal, onProgress } = {}) {
      let loaded = whole ? size : 0
      onProgress?.(loaded)
      await wholeBlob(signal, (count) => {
        loaded += count
        onProgress?.(loaded)
      })
    },
    async close() {
      await inTurn(async () => {
        flow?.stop()
        flow = undefined
      })
    },
  }
}
