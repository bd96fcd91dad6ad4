import { AwqError } from '@awq/tensor'
import { createTurns, type Turns } from '../../turns.ts'
import { crashed, createHealth, type Health } from '../health.ts'
import { type Calls, type FromWorker, fromWire, type Notices, type ToWorker } from './protocol.ts'

/** A page's connection to the Worker with its engine. */
export interface Connection {
  /** Calls take turns: one that is given up before its turn never reaches the Worker. */
  readonly turns: Turns
  /** Whether the Worker is there. */
  readonly health: Health
  /** Calls the Worker. Rejects with its error, or when it has ended. */
  call<Name extends keyof Calls>(
    name: Name,
    request: Calls[Name]['request'],
    transfer?: Transferable[],
  ): Promise<Calls[Name]['answer']>
  /** Tells the Worker. */
  tell<Name extends keyof Notices>(name: Name, notice: Notices[Name], transfer?: Transferable[]): void
  /** Ends the Worker, and all that it holds. */
  end(): void
}

/** A Worker that could not be started: the page has to do without. */
export class WorkerMissing extends Error {}

interface Waiting {
  readonly resolve: (answer: never) => void
  readonly reject: (error: Error) => void
}

/** Connects to a Worker. Rejects with `WorkerMissing` when its script does not load or may not run. */
export async function connect(worker: Worker): Promise<Connection> {
  const waiting = new Map<number, Waiting>()
  const health = createHealth()
  let calls = 0
  const post = (message: ToWorker, transfer: Transferable[]): void => worker.postMessage(message, transfer)
  await new Promise<void>((resolve, reject) => {
    worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
      if ('ready' in data) return resolve()
      const call = waiting.get(data.id)
      waiting.delete(data.id)
      if ('error' in data) call?.reject(fromWire(data.error))
      else call?.resolve(data.answer as never)
    })
    worker.addEventListener('error', (event) => {
      event.preventDefault()
      const reason = event.message || 'its script did not load'
      reject(new WorkerMissing(reason))
      health.end(crashed(new Error(reason)))
    })
  })
  return {
    health,
    turns: createTurns(),
    call(name, request, transfer = []) {
      health.check()
      calls += 1
      const id = calls
      const answered = new Promise<never>((resolve, reject) => waiting.set(id, { resolve, reject }))
      post({ call: name, id, body: request }, transfer)
      return health.guard(answered)
    },
    tell(name, notice, transfer = []) {
      if (!health.failure) post({ notice: name, body: notice }, transfer)
    },
    end() {
      worker.terminate()
      health.end(new AwqError('INVALID_ARGUMENT', 'the engine has been disposed'))
    },
  }
}
