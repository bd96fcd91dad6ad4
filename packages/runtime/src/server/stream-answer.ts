import { errorBody } from './api-error.ts'
import type { Exchange } from './exchange.ts'
import { clientGone } from './scope.ts'
import { type EventSink, eventStream } from './sse.ts'
import { toApiError } from './to-api-error.ts'

/**
 * A stream that ends its request with its last byte. A failure on the way is an event of its own (`failure` writes it),
 * since the status has been sent.
 */
export const streamAnswer = (
  { scope, settings, disconnect }: Exchange,
  write: (sink: EventSink) => Promise<void>,
  failure: (sink: EventSink, error: ReturnType<typeof errorBody>) => Promise<void> | undefined = (sink, error) =>
    sink.send(JSON.stringify(error)),
): Response => {
  scope.record.stream = true
  const run = async (sink: EventSink): Promise<void> => {
    try {
      await write(sink)
    } catch (error) {
      const shown = toApiError(error)
      scope.record.status = shown.status
      scope.record.error = error
      scope.abort(error)
      await failure(sink, errorBody(shown))
    } finally {
      scope.end()
    }
  }
  return eventStream(run, {
    stallSeconds: settings.limits.stallSeconds,
    onLeave(stalled) {
      scope.record.aborted = true
      scope.abort(clientGone(stalled))
      if (stalled) disconnect()
    },
  })
}
