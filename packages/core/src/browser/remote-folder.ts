/**
 * A folder of one thread, read by another.
 * @module
 */
import { type ByteSource, blobSource, type Folder, readSourceText } from '@awq/tensor'
import { receivedError, type SentError, type SentFolder, sentError } from './messages.ts'

/** What can be asked of a folder. */
type Request =
  | { readonly ask: 'list' }
  | { readonly ask: 'has' | 'open'; readonly file: string }
  | { readonly ask: 'read'; readonly file: string; readonly offset: number; readonly length: number }

/** From the reading thread: a question, or that the answer is not wanted any more. */
type Question = { readonly id: number; readonly request: Request } | { readonly forget: number }

/** An opened file: what lies in a Blob crosses as one, and is read without asking again. */
interface OpenedFile {
  readonly name: string
  readonly size: number
  readonly blob?: Blob | undefined
}

interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: SentError
}

/** Told how many bytes of a file are there that has to be fetched whole. */
export type OnDownload = (event: { readonly file: string; readonly loaded: number; readonly total: number }) => void

/** How a folder is offered. */
export interface OfferOptions {
  readonly onDownload?: OnDownload | undefined
  /** Files up to this size are fetched whole, once, into a Blob: they are read more than once. Default 32 MiB. */
  readonly smallBytes?: number | undefined
}

/** What is done once for each file; what failed may be tried again. */
const oncePerFile = <T>(task: (file: string) => Promise<T>): ((file: string) => Promise<T>) => {
  const made = new Map<string, Promise<T>>()
  return (file) => {
    const known = made.get(file) ?? task(file)
    made.set(file, known)
    known.catch(() => made.delete(file))
    return known
  }
}

/**
 * Offers a folder to another thread. A file that is small or lies in this browser crosses as a Blob; of others, the parts
 * that are asked for are fetched here. `stop` ends it, what is being fetched too, and closes the files that are open.
 */
export const offerFolder = (
  folder: Folder,
  { onDownload, smallBytes = 32 * 2 ** 20 }: OfferOptions = {},
): { readonly sent: SentFolder; stop(): void } => {
  const { port1, port2 } = new MessageChannel()
  const running = new Map<number, AbortController>()
  const sources: ByteSource[] = []
  const opened = oncePerFile(async (file) => {
    const source = await folder.open(file)
    sources.push(source)
    return source
  })
  const blobOf = async (file: string, signal: AbortSignal): Promise<Blob | undefined> => {
    const source = await opened(file)
    const { size } = source
    // Of a server without range requests; parts of it would be fetched from the file's start each time.
    if (source.wholeOnly && source.download)
      await source.download({ signal, onProgress: (loaded) => onDownload?.({ file, loaded, total: size }) })
    if (source.localBlob) return source.blob?.(0, size)
    return size <= smallBytes
      ? new Blob([(await source.read(0, size, { signal })) as Uint8Array<ArrayBuffer>])
      : undefined
  }
  const open = async (file: string, signal: AbortSignal): Promise<OpenedFile> => {
    const { name, size } = await opened(file)
    return { name, size, blob: await blobOf(file, signal) }
  }
  const serve = async (request: Request, signal: AbortSignal): Promise<unknown> => {
    switch (request.ask) {
      case 'list':
        return folder.list()
      case 'has':
        return folder.has(request.file)
      case 'open':
        return open(request.file, signal)
      case 'read':
        return (await opened(request.file)).read(request.offset, request.length, { signal })
    }
  }
  /** An array that fills its memory is the reader's own, and moves. */
  const movable = (value: unknown): Transferable[] =>
    value instanceof Uint8Array && value.buffer instanceof ArrayBuffer && value.length === value.buffer.byteLength
      ? [value.buffer]
      : []
  port1.onmessage = async ({ data }: MessageEvent<Question>) => {
    if ('forget' in data) return running.get(data.forget)?.abort()
    const { id, request } = data
    const controller = new AbortController()
    running.set(id, controller)
    try {
      const value = await serve(request, controller.signal)
      port1.postMessage({ id, value } satisfies Answer, movable(value))
    } catch (error) {
      port1.postMessage({ id, error: sentError(error) } satisfies Answer)
    } finally {
      running.delete(id)
    }
  }
  return {
    sent: { name: folder.name, ...(folder.origin ? { origin: folder.origin } : {}), port: port2 },
    stop() {
      port1.close()
      for (const controller of running.values()) controller.abort()
      for (const source of sources) void source.close?.()
    },
  }
}

/** The folder that another thread offers. Every file is opened once, and stays open until that thread stops. */
export const remoteFolder = ({ name, origin, port }: SentFolder): Folder => {
  const waiting = new Map<number, (answer: Answer) => void>()
  let last = 0
  port.onmessage = ({ data }: MessageEvent<Answer>) => {
    waiting.get(data.id)?.(data)
    waiting.delete(data.id)
  }
  const say = (question: Question) => port.postMessage(question)
  const ask = <T>(request: Request, signal?: AbortSignal): Promise<T> =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const id = ++last
      const forget = () => {
        waiting.delete(id)
        say({ forget: id })
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', forget, { once: true })
      waiting.set(id, ({ value, error }) => {
        signal?.removeEventListener('abort', forget)
        if (error) reject(receivedError(error))
        else resolve(value as T)
      })
      say({ id, request })
    })
  const open = oncePerFile(async (file): Promise<ByteSource> => {
    const { blob, ...opened } = await ask<OpenedFile>({ ask: 'open', file })
    if (blob) return blobSource(blob, opened.name)
    return {
      ...opened,
      read: (offset, length, options) => ask({ ask: 'read', file, offset, length }, options?.signal),
    }
  })
  return {
    name,
    ...(origin ? { origin } : {}),
    list: () => ask({ ask: 'list' }),
    has: (file) => ask({ ask: 'has', file }),
    open,
    readText: async (file, options) => readSourceText(await open(file), options?.maxBytes),
  }
}
