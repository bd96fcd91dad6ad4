import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createEventParser, readEvents } from './event-stream.ts'

const parseWhole = (text: string) => createEventParser()(text)

test('fields, several lines of data, names, comments and unknown fields', () => {
  const text =
    ': hello\n\ndata: one\n\nevent: error\ndata: two\ndata:three\nid: 7\nretry: 10\n\ndata\n\nevent: lonely\n\ndata: cut'
  expect(parseWhole(text)).toEqual([
    { event: 'message', data: 'one' },
    { event: 'error', data: 'two\nthree' },
    { event: 'message', data: '' },
  ])
})

test('only one space after the colon belongs to the field', () => {
  expect(parseWhole('data:  x: y\n\n')).toEqual([{ event: 'message', data: ' x: y' }])
})

test('a byte order mark is not part of the first field', () => {
  expect(parseWhole('\ufeffdata: a\n\n')).toEqual([{ event: 'message', data: 'a' }])
})

test('the pieces in which a stream comes, and its line ends, make no difference', () => {
  const lineEnd = fc.constantFrom('\n', '\r\n', '\r')
  const line = fc.constantFrom('data: a', 'data: {"x":"y"}', 'event: e', ': c', '', 'data', '')
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 12 }),
      lineEnd,
      fc.array(fc.nat(40), { maxLength: 8 }),
      (lines, end, cuts) => {
        // The last line end is followed by something, so that a lone carriage return is one.
        const text = `${lines.map((each) => each + end).join('')}:`
        const places = [...new Set(cuts.map((cut) => Math.min(cut, text.length)))].sort((a, b) => a - b)
        const parse = createEventParser()
        const pieces = [0, ...places].map((place, index) => text.slice(place, places[index] ?? text.length))
        expect(pieces.flatMap(parse)).toEqual(parseWhole(`${lines.join('\n')}\n:`))
      },
    ),
  )
})

test('bytes of one character may come in two pieces', async () => {
  const bytes = new TextEncoder().encode('data: Grüße 🌍\n\n')
  for (let cut = 1; cut < bytes.length; cut++) {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes.slice(0, cut))
        controller.enqueue(bytes.slice(cut))
        controller.close()
      },
    })
    const events = []
    for await (const event of readEvents(body)) events.push(event)
    expect(events).toEqual([{ event: 'message', data: 'Grüße 🌍' }])
  }
})

test('a loop that ends early cancels the body', async () => {
  let cancelled = false
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(new TextEncoder().encode('data: x\n\n'))
    },
    cancel() {
      cancelled = true
    },
  })
  for await (const _ of readEvents(body)) break
  expect(cancelled).toBe(true)
})
