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
  | { readonly ask: 'read'; readonly source: number; readonly offset: number; readonly length: number }
  | { readonly ask: 'close'; readonly source: number }

/** An opened file: what is a Blob crosses as one, and is read without asking again. */
interface OpenedFile {
  readonly source: number
  readonly name: string
  readonly size: number
  readonly blob?: Blob | undefined
}

interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: SentError
}

/** Offers a folder to another thread. `stop` ends it, and closes the files that are still open. */
export const offerFolder = (folder: Folder): { readonly sent: SentFolder; stop(): void } => {
  const { port1, port2 } = new MessageChannel()
  const sources = new Map<number, ByteSource>()
  let last = 0
  const serve = async (request: Request): Promise<{ value: unknown; transfer?: Transferable[] }> => {
    switch (request.ask) {
      case 'list':
        return { value: await folder.list() }
      case 'has':
        return { value: await folder.has(request.file) }
      case 'open': {
        const source = await folder.open(request.file)
        sources.set(++last, source)
        const opened: OpenedFile = {
          ...{ source: last, name: source.name, size: source.size },
          blob: await source.blob?.(0, source.size),
        }
        return { value: opened }
      }
      case 'read': {
        const bytes = await sources.get(request.source)!.read(request.offset, request.length)
        // An array that fills its memory is the reader's own, and moves.
        const whole = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer
        return { value: bytes, ...(whole ? { transfer: [bytes.buffer] } : {}) }
      }
      case 'close':
        await sources.get(request.source)?.close?.()
        return { value: sources.delete(request.source) }
    }
  }
  port1.onmessage = async ({ data: { id, request } }: MessageEvent<{ id: number; request: Request }>) => {
    try {
      const { value, transfer = [] } = await serve(request)
      port1.postMessage({ id, value } satisfies Answer, transfer)
    } catch (error) {
      port1.postMessage({ id, error: sentError(error) } satisfies Answer)
    }
  }
  return {
    sent: { name: folder.name, ...(folder.origin ? { origin: folder.origin } : {}), port: port2 },
    stop() {
      port1.close()
      for (const source of sources.values()) void source.close?.()
      sources.clear()
    },
  }
}

/** The folder that another thread offers. */
export const remoteFolder = ({ name, origin, port }: SentFolder): Folder => {
  const waiting = new Map<number, (answer: Answer) => void>()
  let last = 0
  port.onmessage = ({ data }: MessageEvent<Answer>) => {
    waiting.get(data.id)?.(data)
    waiting.delete(data.id)
  }
  const ask = <T>(request: Request): Promise<T> =>
    new Promise((resolve, reject) => {
      const id = ++last
      waiting.set(id, ({ value, error }) => (error ? reject(receivedError(error)) : resolve(value as T)))
      port.postMessage({ id, request })
    })
  const open = async (file: string): Promise<ByteSource> => {
    const opened = await ask<OpenedFile>({ ask: 'open', file })
    const { source, size } = opened
    const close = async () => {
      await ask({ ask: 'close', source })
    }
    if (opened.blob) return { ...blobSource(opened.blob, opened.name), close }
    return {
      name: opened.name,
      size,
      close,
      async read(offset, length, options) {
        options?.signal?.throwIfAborted()
        const bytes = await ask<Uint8Array>({ ask: 'read', source, offset, length })
        options?.signal?.throwIfAborted()
        return bytes
      },
    }
  }
  return {
    name,
    ...(origin ? { origin } : {}),
    list: () => ask({ ask: 'list' }),
    has: (file) => ask({ ask: 'has', file }),
    open,
    async readText(file, options) {
      const source = await open(file)
      try {
        return await readSourceText(source, options?.maxBytes)
      } finally {
        await source.close?.()
      }
    },
  }
}
