/**
 * The engine of a Worker, driven by messages.
 * @module
 */
import { AwqError } from '@awq/tensor'
import { zeros } from '../../tensor.ts'
import type { BoundRun, DeviceTensor, Engine, Feeds, Session, Tensor } from '../../types.ts'
import { createWebEngine, type WebEngine } from '../engine.ts'
import {
  type Calls,
  detachable,
  type FromWorker,
  type Notices,
  type ToWorker,
  toWire,
  type WireRun,
} from './protocol.ts'

/** The Worker's own end. */
export interface Endpoint {
  postMessage(message: FromWorker, transfer: Transferable[]): void
  addEventListener(type: 'message', listener: (event: { data: ToWorker }) => void): void
}

/** A bound run with the arrays that it reads. */
interface BoundHere {
  readonly run: BoundRun
  readonly feeds: Feeds
}

type Handlers = {
  [Name in keyof Calls]: (
    request: Calls[Name]['request'],
    transfer: Transferable[],
  ) => Promise<Calls[Name]['answer']> | Calls[Name]['answer']
}
type NoticeHandlers = { [Name in keyof Notices]: (notice: Notices[Name]) => void }

/** Serves one engine, which the first call makes. */
export function serveEngine(endpoint: Endpoint): void {
  let made: WebEngine | undefined
  const sessions = new Map<number, Session>()
  const handles = new Map<number, DeviceTensor | AwqError>()
  const bound = new Map<number, BoundHere | AwqError>()

  const started = (): WebEngine => {
    if (!made) throw new AwqError('INVALID_ARGUMENT', 'the engine has not been started')
    return made
  }
  const engine = (): Engine => started().engine
  const found = <T>(map: ReadonlyMap<number, T | AwqError>, key: number, what: string): T => {
    const value = map.get(key)
    if (value === undefined) throw new AwqError('INVALID_ARGUMENT', `there is no such ${what}`)
    if (AwqError.is(value)) throw value
    return value as T
  }
  /** What a call gives, or why it does not. */
  const attempt = <T>(make: () => T): T | AwqError => {
    try {
      return make()
    } catch (error) {
      return AwqError.is(error) ? error : new AwqError('ENGINE', toWire(error).message)
    }
  }
  const each = <T, R>(given: Readonly<Record<string, T>>, value: (given: T) => R): Record<string, R> =>
    Object.fromEntries(Object.entries(given).map(([name, one]) => [name, value(one)]))
  const held = (handle: number): DeviceTensor => found(handles, handle, 'device tensor')
  const prepared = ({ session, feeds, fetch, into }: WireRun) => ({
    session: found(sessions, session, 'session'),
    feeds: each(feeds, (value) => (typeof value === 'number' ? held(value) : value)),
    options: {
      fetch,
      into: each(into, (value) => (typeof value === 'number' ? held(value) : zeros(value.dtype, value.shape))),
    },
  })

  const calls: Handlers = {
    async start(request) {
      made = await createWebEngine(request)
      const { runtime, runOptions } = made
      const { threads, features, limits } = made.engine
      const memory = runtime.module.HEAPU8.buffer as unknown as SharedArrayBuffer
      const shares = globalThis.crossOriginIsolated && runOptions.flag !== undefined
      const flag = shares ? { memory, address: runOptions.flag! } : undefined
      return { threads, features, limits, flag }
    },
    async load({ session, model, options }) {
      const loaded = await started().open(model, options, false)
      sessions.set(session, loaded)
      return { inputs: loaded.inputs, outputs: loaded.outputs }
    },
    async run(request, transfer) {
      const { session, feeds, options } = prepared(request)
      const results = await session.run(feeds, options)
      for (const { data } of Object.values(results)) transfer.push(data.buffer as ArrayBuffer)
      return results
    },
    async runBound({ bound: key, data }, transfer) {
      const { run, feeds } = found(bound, key, 'bound run')
      for (const [name, array] of Object.entries(data)) {
        ;((feeds[name] as Tensor).data as Uint8Array).set(array as Uint8Array)
      }
      const results = await run.run()
      // Its targets are written again by the next run.
      return Object.fromEntries(
        Object.entries(results).map(([name, value]) => [name, { ...value, data: detachable(value.data, transfer) }]),
      )
    },
    async read({ handle }, transfer) {
      const tensor = await held(handle).read()
      transfer.push(tensor.data.buffer as ArrayBuffer)
      return tensor
    },
    memory: () => engine().memory?.(),
    async end({ session }) {
      await sessions.get(session)?.dispose()
      sessions.delete(session)
      return undefined
    },
  }

  const notices: NoticeHandlers = {
    upload({ handle, tensor }) {
      handles.set(
        handle,
        attempt(() => engine().upload(tensor)),
      )
    },
    allocate({ handle, dtype, shape }) {
      handles.set(
        handle,
        attempt(() => engine().allocate(dtype, shape)),
      )
    },
    dispose({ handle }) {
      const value = handles.get(handle)
      handles.delete(handle)
      if (value && !AwqError.is(value)) value.dispose()
    },
    bind(request) {
      const run = attempt((): BoundHere => {
        const { session, feeds, options } = prepared(request)
        return { run: session.bind(feeds, options), feeds }
      })
      bound.set(request.bound, run)
    },
    unbind({ bound: key }) {
      const value = bound.get(key)
      bound.delete(key)
      if (value && !AwqError.is(value)) value.run.dispose()
    },
  }

  const answer = async (id: number, call: keyof Calls, body: unknown): Promise<void> => {
    const transfer: Transferable[] = []
    try {
      const handler = calls[call] as (body: unknown, transfer: Transferable[]) => unknown
      endpoint.postMessage({ id, answer: await handler(body, transfer) }, transfer)
    } catch (error) {
      endpoint.postMessage({ id, error: toWire(error) }, [])
    }
  }
  endpoint.addEventListener('message', ({ data }) => {
    if ('call' in data) void answer(data.id, data.call, data.body)
    else (notices[data.notice] as (body: unknown) => void)(data.body)
  })
  endpoint.postMessage({ ready: true }, [])
}
