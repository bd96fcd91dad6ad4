/**
 * Server-sent events with backpressure: a reader that takes nothing makes the writer wait, and at last gives up.
 * @module
 */

/** Where a stream's events go. */
export interface EventSink {
  /** Sends one event; resolves when there is room for the next. Rejects when the reader has gone or takes nothing. */
  send(data: string, event?: string): Promise<void> | undefined
}

/** How a stream behaves when nothing moves. */
export interface EventStreamOptions {
  /** A reader that takes nothing for so long while the buffer is full has gone. */
  readonly stallSeconds: number
  /** A comment is sent after so long a silence, so that nothing on the way closes the connection. */
  readonly keepAliveSeconds?: number
  /** The reader has gone, or takes nothing any more (`stalled`): its connection is to be closed. */
  readonly onLeave: (stalled: boolean) => void
}

/** Bytes that wait for the reader before the writer does. */
const bufferBytes = 64 * 1024

const headers = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  // Proxies of nginx's kind would collect the events.
  'x-accel-buffering': 'no',
}

/** `data: …`; JSON has no line breaks, so that one line is enough. */
const encodeEvent = (data: string, event: string | undefined): string =>
  event === undefined ? `data: ${data}\n\n` : `event: ${event}\ndata: ${data}\n\n`

/**
 * A response that streams what `write` sends. It ends when `write` is done, whether it fails or not: what a client should
 * know of a failure is an event that `write` sends.
 */
export const eventStream = (
  write: (sink: EventSink) => Promise<void>,
  { stallSeconds, keepAliveSeconds = 15, onLeave }: EventStreamOptions,
): Response => {
  const encoder = new TextEncoder()
  const waiting = new Set<{ readonly resolve: () => void; readonly reject: (reason: unknown) => void }>()
  let gone: { readonly reason: unknown } | undefined
  let lastSent = performance.now()
  let stall: NodeJS.Timeout | undefined
  const leave = (reason: unknown, stalled: boolean): void => {
    if (gone) return
    gone = { reason }
    clearTimeout(stall)
    for (const { reject } of waiting) reject(reason)
    waiting.clear()
    onLeave(stalled)
  }
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const put = (text: string): void => {
          lastSent = performance.now()
          controller.enqueue(encoder.encode(text))
        }
        const sink: EventSink = {
          send(data, event) {
            if (gone) return Promise.reject(gone.reason)
            put(encodeEvent(data, event))
            if ((controller.desiredSize ?? 0) > 0) return undefined
            stall ??= setTimeout(
              () => leave(new Error('the reader of a stream takes nothing'), true),
              stallSeconds * 1000,
            )
            return new Promise((resolve, reject) => waiting.add({ resolve, reject }))
          },
        }
        const keepAlive = setInterval(() => {
          const silent = performance.now() - lastSent >= keepAliveSeconds * 900
          if (silent && !gone && (controller.desiredSize ?? 0) > 0) put(': keep-alive\n\n')
        }, keepAliveSeconds * 1000)
        keepAlive.unref()
        void write(sink)
          .catch(() => {})
          .finally(() => {
            clearInterval(keepAlive)
            try {
              controller.close()
            } catch {
              // The reader cancelled.
            }
          })
      },
      pull() {
        clearTimeout(stall)
        stall = undefined
        for (const { resolve } of waiting) resolve()
        waiting.clear()
      },
      cancel: (reason) => leave(reason ?? new Error('the reader of a stream has gone'), false),
    },
    { highWaterMark: bufferBytes, size: (chunk) => chunk.byteLength },
  )
  return new Response(body, { headers })
}
