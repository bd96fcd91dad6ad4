/**
 * The data of a stream of server-sent events, event by event, until `[DONE]` or the end. The stream is cancelled when the
 * loop is left.
 */
export async function* sseData(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let held = ''
  let data: string[] = []
  try {
    for (;;) {
      const { done, value } = await reader.read()
      held += done ? `${decoder.decode()}\n\n` : decoder.decode(value, { stream: true })
      for (let end = held.search(/\r\n|\n|\r(?!$)/); end >= 0; end = held.search(/\r\n|\n|\r(?!$)/)) {
        const line = held.slice(0, end)
        held = held.slice(end + (held.startsWith('\r\n', end) ? 2 : 1))
        if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5))
        if (line !== '' || data.length === 0) continue
        const event = data.join('\n')
        data = []
        if (event === '[DONE]') return
        yield event
      }
      if (done) return
    }
  } finally {
    // Nothing is to be said about a stream that fails while nobody reads it any more.
    await reader.cancel().catch(() => {})
  }
}
