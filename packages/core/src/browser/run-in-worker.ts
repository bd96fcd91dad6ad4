/**
 * Tasks that run in a Worker of their own.
 * @module
 */
import { AwqError, type Folder, messageOf } from '@awq/tensor'
import { spawnWorker } from '#spawn-worker'
import type { CompareRow } from '../compare.ts'
import type { OnProgress } from '../progress.ts'
import { type PageMessage, receivedError, type Task, type WorkerMessage } from './messages.ts'
import { type OnDownload, offerFolder } from './remote-folder.ts'

/** How the page takes part. */
export interface PageSide {
  readonly model: string | Folder
  /** Makes the Worker; by default one of this package's module. */
  readonly worker?: (() => Worker) | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
  readonly onRow?: ((row: CompareRow) => void) | undefined
  /** Told of what warnings say, beside their events. */
  readonly onWarning?: ((message: string) => void) | undefined
}

/** A Worker that is computing sees an abort late; its work is on the disk, so that it may be ended, after milliseconds. */
const PATIENCE = 300

/** Objects that cross to a Worker whole. */
const CROSSING = [Blob, ArrayBuffer, Date] as const

/**
 * Options that may cross to a Worker: plain values, arrays, Blobs and dates.
 * @throws AwqError INVALID_ARGUMENT naming an option that is, or has, a function, or an object of another class (a Map)
 */
export const plainOptions = <Options extends object>(options: Options): Options => {
  const checked = (name: string, value: unknown): unknown => {
    if (typeof value === 'function' || typeof value === 'symbol')
      throw new AwqError(
        'INVALID_ARGUMENT',
        `${name} is code, which can not cross to a Worker; name a built-in one, or call quantize of @awq/core in a Worker ` +
          'of your own',
      )
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
    if (Array.isArray(value)) return value.map((item, index) => checked(`${name}[${index}]`, item))
    if (CROSSING.some((kind) => value instanceof kind)) return value
    if (![Object.prototype, null].includes(Object.getPrototypeOf(value)))
      throw new AwqError(
        'INVALID_ARGUMENT',
        `${name} is a ${value.constructor.name}, which can not cross to a Worker as it is`,
      )
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => [key, checked(name === '' ? key : `${name}.${key}`, item)]),
    )
  }
  return checked('', options) as Options
}

/** @throws AwqError UNSUPPORTED where the page may not start the package's Worker */
const ownWorker = (): Worker => {
  try {
    return spawnWorker()
  } catch (cause) {
    throw new AwqError(
      'UNSUPPORTED',
      `the page may not start the Worker of @awq/core (${messageOf(cause)}): allow it by the content security policy ` +
        '(worker-src), or give one as the option `worker`',
      { cause },
    )
  }
}

/** Runs a task in a Worker, which ends with it. */
export const runInWorker = async (task: Task, side: PageSide): Promise<unknown> => {
  const { signal, onProgress, onRow, onWarning } = side
  const onEvent: OnProgress = (event) => {
    onProgress?.(event)
    if (event.type === 'warning') onWarning?.(event.message)
  }
  signal?.throwIfAborted()
  const worker = (side.worker ?? ownWorker)()
  const onDownload: OnDownload = ({ file, loaded, total }) =>
    onProgress?.({ type: 'progress', stage: 'download', completed: loaded, total, message: file })
  const offered = typeof side.model === 'string' ? undefined : offerFolder(side.model, { onDownload })
  const say = (message: PageMessage, transfer: Transferable[] = []) => worker.postMessage(message, transfer)
  let timer: ReturnType<typeof setTimeout> | undefined
  let onAbort = () => {}
  try {
    return await new Promise((resolve, reject) => {
      onAbort = () => {
        say({ type: 'abort' })
        timer = setTimeout(() => reject(signal?.reason), PATIENCE)
      }
      signal?.addEventListener('abort', onAbort)
      worker.onerror = (event) => {
        event.preventDefault()
        reject(
          new AwqError(
            event.message ? 'ENGINE' : 'UNSUPPORTED',
            event.message
              ? `the Worker that quantizes failed: ${event.message}`
              : 'the Worker of @awq/core did not load: is its file served, and allowed by the content security policy?',
          ),
        )
      }
      worker.onmessageerror = () => reject(new AwqError('ENGINE', 'the Worker that quantizes sent what cannot be read'))
      worker.onmessage = ({ data }: MessageEvent<WorkerMessage>) => {
        if (data.type === 'progress') onEvent(data.event)
        else if (data.type === 'row') onRow?.(data.row)
        else if (data.type === 'done') resolve(data.result)
        else if (data.type === 'failed') reject(signal?.aborted ? signal.reason : receivedError(data.error))
      }
      say({ type: 'begin', task, model: offered?.sent ?? (side.model as string) }, offered ? [offered.sent.port] : [])
    })
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    worker.terminate()
    offered?.stop()
  }
}
