import { createServer as createHttpServer } from 'node:http'
import type { Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { createApp } from './app.ts'
import { isLoopback, loopbackHosts } from './hosts.ts'
import { listen } from './listen.ts'
import { malformedRequest } from './malformed.ts'
import { type HandlerOptions, handlerSettings, type MetricValues } from './settings.ts'
import { shuttingDown } from './to-api-error.ts'

/** Where a server listens, and how. */
export interface ServerOptions extends HandlerOptions {
  /** 127.0.0.1 by default: this machine alone. */
  readonly host?: string | undefined
  /** 8080 by default; 0 picks one that is free. */
  readonly port?: number | undefined
  /** Seconds for the headers and the body of a request to arrive; 30 by default. */
  readonly receiveSeconds?: number | undefined
  /** Connections at a time; 4096 by default. Further ones are closed at once. */
  readonly maxConnections?: number | undefined
}

/** A listening server. */
export interface RunningServer extends AsyncDisposable {
  readonly url: string
  readonly host: string
  readonly port: number
  /** What `/metrics` tells, as JSON: for a process that adds up the figures of several. */
  metrics(): Promise<MetricValues>
  /**
   * Takes no more requests, waits up to `drainSeconds` (30 by default) for those that run, ends what is left, and unloads the
   * models that a registry has loaded. A second call with fewer seconds hurries the first.
   */
  close(options?: { readonly drainSeconds?: number }): Promise<void>
}

/**
 * Serves the API over HTTP; resolves when it listens.
 * @throws AwqError INVALID_ARGUMENT for options out of range, IO for an address that cannot be listened at
 */
export const createServer = async (options: ServerOptions): Promise<RunningServer> => {
  const { host = '127.0.0.1', port = 8080, receiveSeconds = 30, maxConnections = 4096 } = options
  const settings = handlerSettings({
    ...options,
    hosts: options.hosts ?? (isLoopback(host) && !options.apiKeys?.length ? loopbackHosts(host) : undefined),
  })
  const app = createApp(settings)
  const listener = getRequestListener((request, environment) => app.fetch(request, environment), {
    overrideGlobalObjects: false,
    errorHandler: () => malformedRequest(),
  })
  const server = createHttpServer(
    {
      headersTimeout: receiveSeconds * 1000,
      requestTimeout: receiveSeconds * 1000,
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: 65_000,
      maxHeaderSize: 16 * 1024,
    },
    (incoming, outgoing) => void listener(incoming, outgoing),
  )
  server.maxConnections = maxConnections
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => answerClientError(error, socket))

  const boundPort = await listen(server, host, port)
  const shownHost = host.includes(':') ? `[${host}]` : host

  let closing: Promise<void> | undefined
  let hurry: () => void = () => {}
  const finish = async (): Promise<void> => {
    app.stop()
    const stopped = new Promise<void>((resolve) => server.close(() => resolve()))
    // A connection whose answer began before waits for another request when it is over.
    const sweep = setInterval(() => server.closeIdleConnections(), 50)
    server.closeIdleConnections()
    await stopped
    clearInterval(sweep)
    await settings.models.close()
  }
  const close = async ({ drainSeconds = 30 }: { drainSeconds?: number } = {}): Promise<void> => {
    const end = (): void => {
      for (const scope of app.scopes) scope.abort(shuttingDown())
      // What was said last gets a moment to leave.
      setTimeout(() => server.closeAllConnections(), 250).unref()
    }
    hurry()
    const timer = setTimeout(end, drainSeconds * 1000)
    hurry = () => clearTimeout(timer)
    closing ??= finish()
    try {
      await closing
    } finally {
      clearTimeout(timer)
    }
  }
  return {
    url: `http://${shownHost}:${boundPort}`,
    host,
    port: boundPort,
    metrics: () => app.metrics(),
    close,
    [Symbol.asyncDispose]: () => close({ drainSeconds: 0 }),
  }
}

/** Answers what is no HTTP, or came too slowly, and closes the connection. */
const answerClientError = (error: NodeJS.ErrnoException, socket: Socket): void => {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, reason] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? [408, 'Request Timeout']
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? [431, 'Request Header Fields Too Large']
        : [400, 'Bad Request']
  const body = JSON.stringify({
    error: { message: `${reason}.`, type: 'invalid_request_error', param: null, code: null },
  })
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
