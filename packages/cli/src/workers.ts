/**
 * Several processes that serve one port (`awq serve --workers`): one watches, the others answer.
 * @module
 */
import cluster, { type Worker } from 'node:cluster'
import { AwqError } from '@awq/tensor'

/** Marks a process as one that answers. */
const variable = 'AWQ_SERVE_WORKER'

/** The figures of one process. */
type MetricValues = readonly object[]

type FromWorker =
  | { readonly type: 'listening'; readonly url: string }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | { readonly type: 'collect'; readonly id: number }
  | { readonly type: 'metrics'; readonly id: string; readonly values: MetricValues }

type ToWorker =
  | { readonly type: 'close'; readonly drainSeconds: number }
  | { readonly type: 'read'; readonly id: string }
  | { readonly type: 'collected'; readonly id: number; readonly all: readonly MetricValues[] }

/** Whether this process is one that answers. */
export const isWorker = (): boolean => process.env[variable] !== undefined && process.send !== undefined

/** Processes that answer. */
export interface Workers {
  readonly url: string
  /** Rejects when they cannot go on. */
  readonly failed: Promise<never>
  close(drainSeconds: number): Promise<void>
}

/** A process that ends sooner after its start is not started again and again. */
const shortestLifeMs = 5000

/**
 * Starts the command line `args` `count` times and resolves when all listen. One that ends without being told to is
 * replaced, unless it had just begun.
 * @throws AwqError with the failure of a worker
 */
export const startWorkers = async (
  count: number,
  args: readonly string[],
  onNote: (line: string) => void,
): Promise<Workers> => {
  cluster.setupPrimary({
    exec: process.argv[1] as string,
    args: [...args],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const collecting = new Map<string, (values: MetricValues) => void>()
  let closing = false
  let collections = 0
  let fail: (error: Error) => void = () => {}
  const failed = new Promise<never>((_, reject) => {
    fail = reject
  })
  failed.catch(() => {})

  const workers = (): Worker[] => Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)
  const tell = (worker: Worker, message: ToWorker): void => {
    if (worker.isConnected()) worker.send(message)
  }
  const collect = async (): Promise<readonly MetricValues[]> =>
    await Promise.all(
      workers().map(
        (worker) =>
          new Promise<MetricValues>((resolve) => {
            const id = `${collections++}`
            const done = (values: MetricValues): void => {
              clearTimeout(timer)
              collecting.delete(id)
              resolve(values)
            }
            // One that is busy or gone is left out.
            const timer = setTimeout(() => done([]), 2000)
            collecting.set(id, done)
            tell(worker, { type: 'read', id })
          }),
      ),
    )

  const start = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const worker = cluster.fork({ [variable]: '1' })
      const started = performance.now()
      let reason: Error | undefined
      worker.on('message', (message: FromWorker) => {
        if (message.type === 'listening') resolve(message.url)
        if (message.type === 'failed') reason = new AwqError(message.code as 'IO', message.message)
        if (message.type === 'metrics') collecting.get(message.id)?.(message.values)
        if (message.type === 'collect') {
          void collect().then((all) => tell(worker, { type: 'collected', id: message.id, all }))
        }
      })
      worker.on('exit', (code, signal) => {
        if (closing) return
        const error = reason ?? new AwqError('ENGINE', `a worker ended by ${signal ?? `code ${code}`}`)
        reject(error)
        if (reason || performance.now() - started < shortestLifeMs) fail(error)
        else {
          onNote(`${error.message}; another one is started`)
          start().catch(() => {})
        }
      })
    })

  const close = async (drainSeconds: number): Promise<void> => {
    closing = true
    const ended = workers().map((worker) => new Promise<void>((resolve) => worker.once('exit', () => resolve())))
    for (const worker of workers()) tell(worker, { type: 'close', drainSeconds })
    await Promise.all(ended)
  }

  try {
    const urls = await Promise.all(Array.from({ length: count }, start))
    return { url: urls[0] as string, failed, close }
  } catch (error) {
    await close(0)
    throw error
  }
}

/** This process' side. */
export interface WorkerLink {
  listening(url: string): void
  failed(code: string, message: string): void
  /** Calls back with the seconds to drain; also when the process that watches is gone. */
  onClose(handler: (drainSeconds: number) => void): void
  /** The figures of all workers. */
  collectMetrics(own: () => Promise<MetricValues>): Promise<readonly MetricValues[]>
  /** How a request for this process' own figures is answered, until then by none. */
  answerWith(own: () => Promise<MetricValues>): void
}

/** The link of a process that answers to the one that watches. */
export const workerLink = (): WorkerLink => {
  const waiting = new Map<number, (all: readonly MetricValues[]) => void>()
  let requests = 0
  let own: () => Promise<MetricValues> = async () => []
  let closeHandler: (drainSeconds: number) => void = () => {}
  const send = (message: FromWorker): void => {
    if (process.connected) process.send?.(message)
  }
  process.on('message', (message: ToWorker) => {
    if (message.type === 'close') closeHandler(message.drainSeconds)
    if (message.type === 'read') void own().then((values) => send({ type: 'metrics', id: message.id, values }))
    if (message.type === 'collected') {
      waiting.get(message.id)?.(message.all)
      waiting.delete(message.id)
    }
  })
  process.on('disconnect', () => closeHandler(5))
  return {
    listening: (url) => send({ type: 'listening', url }),
    failed: (code, message) => send({ type: 'failed', code, message }),
    onClose(handler) {
      closeHandler = handler
    },
    answerWith(read) {
      own = read
    },
    collectMetrics(read) {
      own = read
      return new Promise((resolve) => {
        const id = requests++
        waiting.set(id, resolve)
        send({ type: 'collect', id })
      })
    },
  }
}
