/** One event of a `text/event-stream`. */
export interface StreamEvent {
  /** `message` where the stream names none. */
  readonly event: string
  readonly data: string
}

/**
 * A parser of server-sent events that takes text in any pieces, even in the middle of a line end. Comments, ids and retry
 * times are passed over, an event that the stream ends in is not given (HTML Standard, 9.2.6).
 */
export const createEventParser = (): ((piece: string) => StreamEvent[]) => {
  let pending = ''
  let first = true
  let event = ''
  let data: string[] = []

  const takeLine = (line: string): StreamEvent | undefined => {
    if (line === '') {
      const made = data.length > 0 ? { event: event || 'message', data: data.join('\n') } : undefined
      event = ''
      data = []
      return made
    }
    const colon = line.indexOf(':')
    if (colon === 0) return undefined
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'data') data.push(value)
    else if (field === 'event') event = value
    return undefined
  }

  return (piece) => {
    pending += piece
    if (first && pending !== '') {
      first = false
      if (pending.startsWith('\ufeff')) pending = pending.slice(1)
    }
    const events: StreamEvent[] = []
    let start = 0
    for (const { 0: end, index } of pending.matchAll(/\r\n|\r|\n/g)) {
      // The line feed of this line end may be in the next piece.
      if (end === '\r' && index === pending.length - 1) break
      const made = takeLine(pending.slice(start, index))
      if (made) events.push(made)
      start = index + end.length
    }
    pending = pending.slice(start)
    return events
  }
}

/** The events of a body, as they come. Stops reading when the loop ends early. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent, void> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  const parse = createEventParser()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield* parse(decoder.decode(value, { stream: true }))
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}
