/**
 * The routes as a hono app.
 * @module
 */
import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import { ApiError, errorResponse } from './api-error.ts'
import { type Endpoint, endpoints } from './endpoints.ts'
import type { Exchange } from './exchange.ts'
import { createHostCheck } from './hosts.ts'
import { newId } from './ids.ts'
import { createKeyCheck } from './keys.ts'
import { createMetrics, renderMetrics } from './metrics.ts'
import { openScope, type Scope } from './scope.ts'
import { type HandlerSettings, localOrigins, type MetricValues } from './settings.ts'
import { busy, shuttingDown, timedOut, toApiError } from './to-api-error.ts'

/** The app, and what is running in it. */
export interface App {
  readonly fetch: (request: Request, environment?: object) => Promise<Response>
  readonly scopes: ReadonlySet<Scope>
  metrics(): Promise<MetricValues>
  /** From now on, new requests are refused. */
  stop(): void
}

/** `{model}` -> `:model{.+}`. */
const honoPath = (path: string): string => path.replace(/\{(\w+)\}/g, ':$1{.+}')

/** Whether pages of an origin may ask. */
const allowsOrigin = (allowed: readonly string[], origin: string): boolean =>
  allowed.includes('*') ||
  allowed.includes(origin) ||
  // A local origin stands for all of its ports.
  localOrigins.some((local) => allowed.includes(local) && (origin === local || origin.startsWith(`${local}:`)))

/** Builds the app. */
export const createApp = (settings: HandlerSettings): App => {
  const { limits, log } = settings
  const checkKey = createKeyCheck(settings.apiKeys)
  const checkHost = createHostCheck(settings.hosts)
  const scopes = new Set<Scope>()
  // Whoever asks for the figures is none of them.
  const inFlight = () => [...scopes].filter(({ record }) => record.route !== '/metrics').length
  const metrics = createMetrics(settings.models, inFlight)
  // Seconds of an answer, the latest ones weighing most.
  let meanSeconds = 1
  let heldBytes = 0
  let stopped = false

  const finish = (scope: Scope): void => {
    scopes.delete(scope)
    const { error, ...record } = scope.record
    metrics.observe(scope.record)
    if (record.newTokens > 0) meanSeconds += (record.seconds - meanSeconds) / 8
    log?.info(settings.logPrompts && scope.texts ? { ...record, ...scope.texts } : record, 'request')
    if (error !== undefined && record.status >= 500 && !(error instanceof ApiError))
      log?.error({ id: record.id, err: error }, 'request failed')
  }

  const answer = async (endpoint: Endpoint, context: Context): Promise<Response> => {
    const request = context.req.raw
    const id = newId('req_')
    const clientRequestId = request.headers.get('x-client-request-id')?.slice(0, 128)
    const scope = openScope(
      request,
      { id, method: request.method, route: endpoint.path, ...(clientRequestId ? { clientRequestId } : {}) },
      { seconds: limits.requestSeconds, reason: () => timedOut(limits.requestSeconds) },
      finish,
    )
    scopes.add(scope)
    const outgoing = (context.env as { outgoing?: { destroy(): void } } | undefined)?.outgoing
    const exchange: Exchange = {
      request,
      scope,
      settings,
      parameters: context.req.param(),
      metrics: async () => renderMetrics(await settings.collectMetrics(() => metrics.values())),
      stopping: () => stopped,
      holdBytes(bytes) {
        if (heldBytes + bytes > limits.allBodiesBytes) throw busy(1)
        heldBytes += bytes
        scope.hold({
          [Symbol.dispose]() {
            heldBytes -= bytes
          },
        })
      },
      disconnect: () => outgoing?.destroy(),
    }
    let response: Response
    try {
      checkHost(request.headers.get('host'))
      if (!endpoint.open) {
        checkKey(request.headers.get('authorization'))
        if (stopped) throw shuttingDown()
        if (scopes.size > limits.maxRequests) throw busy(1)
      }
      response = await Promise.race([endpoint.handle(exchange), rejection(scope.signal)])
    } catch (thrown) {
      const error = toApiError(thrown, Math.min(60, Math.max(1, Math.ceil(meanSeconds))))
      scope.record.error = thrown
      scope.record.status = error.status
      scope.abort(thrown)
      response = errorResponse(error)
    }
    if (scope.record.status === 200) scope.record.status = response.status
    response.headers.set('x-request-id', id)
    if (stopped) response.headers.set('connection', 'close')
    if (!scope.record.stream) scope.end()
    return response
  }

  const app = new Hono()
  app.use(
    cors({
      origin: (origin) => (allowsOrigin(settings.cors, origin) ? (settings.cors.includes('*') ? '*' : origin) : null),
      allowMethods: ['GET', 'POST', 'OPTIONS'],
      exposeHeaders: ['x-request-id', 'retry-after'],
      maxAge: 600,
    }),
  )
  for (const endpoint of endpoints) {
    app.on(endpoint.method, honoPath(endpoint.path), (context) => answer(endpoint, context))
  }
  app.notFound((context) =>
    answer({ ...unmatched, handle: () => Promise.reject(notFound(context.req.method, context.req.path)) }, context),
  )
  app.onError((error) => {
    log?.error({ err: error }, 'request failed')
    return errorResponse(toApiError(error))
  })
  return {
    fetch: async (request, environment) => app.fetch(request, environment),
    scopes,
    metrics: () => metrics.values(),
    stop() {
      stopped = true
    },
  }
}

/** Rejects when the signal aborts, so that a handler which waits for something else does not hold the answer. */
const rejection = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })

/** What no endpoint answers; its path may be anything and is not written down. */
const unmatched = { method: 'GET', path: 'unmatched', summary: '', open: true } as const

/** The 404 of a path, or the 405 of a path with another method. */
const notFound = (method: string, path: string): ApiError => {
  const shown = path.slice(0, 200)
  const methods = endpoints.filter((endpoint) => endpoint.path === path).map((endpoint) => endpoint.method)
  if (methods.length === 0) return new ApiError(404, `Invalid URL (${method} ${shown}).`, { code: 'unknown_url' })
  return new ApiError(405, `Not allowed to ${method} on ${shown}: use ${methods.join(' or ')}.`, {
    code: 'method_not_supported',
    headers: { allow: methods.join(', ') },
  })
}
