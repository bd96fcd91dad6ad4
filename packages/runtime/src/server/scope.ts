/**
 * One request from its beginning to the end of its answer: what aborts it, what it holds, what is told of it.
 * @module
 */
import { ApiError } from './api-error.ts'

/** What is known of a request when it is over. */
export interface RequestRecord {
  readonly id: string
  readonly method: string
  /** The route, not the path: `/v1/models/{id}`. */
  route: string
  status: number
  model?: string
  stream?: boolean
  promptTokens: number
  cachedTokens: number
  newTokens: number
  /** From its beginning to its first token. */
  firstTokenSeconds?: number
  seconds: number
  /** The client went away before the end. */
  aborted?: boolean
  /** The failure, for the log alone. */
  error?: unknown
  /** The client's own id of the request. */
  clientRequestId?: string
}

/** A request in flight. */
export interface Scope {
  readonly record: RequestRecord
  /** Aborts when the client has gone, the time is over or the server stops: then with an ApiError as its reason. */
  readonly signal: AbortSignal
  readonly started: number
  /** What was asked and answered, where it is to be logged. */
  texts?: { readonly request: unknown; readonly answers: readonly string[] }
  abort(reason: unknown): void
  /** Keeps something, such as a model, until the end of the request. */
  hold(held: Disposable): void
  /** The request is over; only the first call does something. */
  end(): void
}

/** The client closed the connection, or takes nothing of it. Nobody sees this error; nginx's status stands for it in logs. */
export const clientGone = (stalled = false): ApiError =>
  new ApiError(499, stalled ? 'The client takes nothing.' : 'The client closed the connection.', {
    code: 'client_closed',
  })

/** Begins a request. `onEnd` is called once with the finished record. */
export const openScope = (
  request: Request,
  record: Omit<RequestRecord, 'promptTokens' | 'cachedTokens' | 'newTokens' | 'seconds' | 'status'>,
  limit: { readonly seconds: number; readonly reason: () => unknown },
  onEnd: (scope: Scope) => void,
): Scope => {
  const controller = new AbortController()
  const held: Disposable[] = []
  let open = true
  const leave = (): void => {
    if (!open) return
    scope.record.aborted = true
    controller.abort(clientGone())
  }
  const timer = setTimeout(() => controller.abort(limit.reason()), limit.seconds * 1000)
  timer.unref()
  const scope: Scope = {
    record: { ...record, status: 200, promptTokens: 0, cachedTokens: 0, newTokens: 0, seconds: 0 },
    signal: controller.signal,
    started: performance.now(),
    abort: (reason) => controller.abort(reason),
    hold: (one) => {
      if (open) held.push(one)
      else one[Symbol.dispose]()
    },
    end() {
      if (!open) return
      open = false
      clearTimeout(timer)
      request.signal.removeEventListener('abort', leave)
      for (const one of held) one[Symbol.dispose]()
      scope.record.seconds = (performance.now() - scope.started) / 1000
      onEnd(scope)
    },
  }
  if (request.signal.aborted) leave()
  else request.signal.addEventListener('abort', leave, { once: true })
  return scope
}
