/**
 * Tells content from calls while a model writes.
 * @module
 */
import type { ToolCallFormat } from './format.ts'
import { createJsonScanner, type JsonScanner } from './json-scanner.ts'
import { callsOfBody, callsOfJson, type ToolCall, type ToolSchemas } from './read-call.ts'

/** A piece of an answer: text for the reader, or a whole call. */
export type ToolCallPart =
  | { readonly type: 'content'; readonly text: string }
  | { readonly type: 'call'; readonly call: ToolCall }

/** Reads an answer piece by piece. */
export interface ToolCallParser {
  push(text: string): readonly ToolCallPart[]
  /** The end of the answer: what was held back comes out, a call that lacks only its end marker as a call. */
  flush(): readonly ToolCallPart[]
}

/** Longer than any call that means something: text is shown instead of being held for ever. */
const longestBody = 1_000_000

/**
 * A parser for one answer. What looks like a call but cannot be read comes out as content, unchanged; text that may
 * still become a call is held back. White space around calls is dropped.
 * @param tools the functions that there are, by name: bare JSON is a call only where it names one of them, and values
 * without quotes are read by their schemas
 */
export const createToolCallParser = (format: ToolCallFormat, tools: ToolSchemas): ToolCallParser => {
  const { begin, end, around } = format
  /** What was not decided on: white space, the beginning of a marker, a bare value, or the inside of a marked call. */
  let held = ''
  let mode: 'start' | 'text' | 'bare' | 'marked' = 'start'
  let scanner: JsonScanner | undefined
  let scanned = 0
  let called = false
  let parts: ToolCallPart[] = []

  const content = (shown: string): void => {
    const text = around.reduce((left, marker) => left.replaceAll(marker, ''), shown)
    if (text === '') return
    const last = parts[parts.length - 1]
    if (last?.type === 'content') parts[parts.length - 1] = { type: 'content', text: last.text + text }
    else parts.push({ type: 'content', text })
  }
  const calls = (found: readonly ToolCall[]): void => {
    for (const call of found) parts.push({ type: 'call', call })
    called = true
  }
  const scan = (): number => {
    scanner ??= createJsonScanner()
    const length = scanner.push(held.slice(scanned))
    const ends = length < 0 ? -1 : scanned + length
    scanned = held.length
    return ends
  }
  const forget = (): void => {
    scanner = undefined
    scanned = 0
  }

  /** One step with what is held; false when it needs more text. */
  const step = (): boolean => {
    if (mode === 'start') {
      const rest = held.replace(called ? /^[\s;,]+/ : /^\s+/, '')
      if (rest === '') return false
      if (begin !== '' && begin.startsWith(rest.slice(0, begin.length))) {
        if (rest.length < begin.length) return false
        held = rest.slice(begin.length)
        mode = 'marked'
        return true
      }
      if (format.bare && /^[{[]/.test(rest)) {
        held = rest
        mode = 'bare'
        return true
      }
      // Between calls nothing but white space is dropped.
      if (called) held = held.replace(/^\s+/, '')
      mode = 'text'
      return true
    }
    if (mode === 'bare') {
      const ends = scan()
      if (ends < 0) return tooLong()
      const found = callsOfJson(held.slice(0, ends), tools)
      forget()
      if (found) {
        calls(found)
        held = held.slice(ends)
        mode = 'start'
      } else {
        mode = 'text'
      }
      return held !== ''
    }
    if (mode === 'marked') return marked()
    const at = begin === '' ? -1 : held.indexOf(begin)
    if (at >= 0) {
      content(held.slice(0, at).trimEnd())
      held = held.slice(at + begin.length)
      mode = 'marked'
      return true
    }
    // White space in front of a call is dropped, so it waits to be seen what comes.
    const shown =
      begin === '' ? held.length : held.slice(0, held.length - pending(held, [begin, ...around])).trimEnd().length
    content(held.slice(0, shown))
    held = held.slice(shown)
    return false
  }

  const marked = (): boolean => {
    const at = end === '' ? -1 : held.indexOf(end)
    if (at >= 0) {
      // A marker inside a string of the arguments is not the end.
      const found = callsOfBody(held.slice(0, at), format, tools)
      const later = found ? -1 : held.indexOf(end, at + end.length)
      if (!found && later < 0 && !balanced(held.slice(0, at))) return tooLong()
      const cut = found || later < 0 ? at : later
      settle(found ?? callsOfBody(held.slice(0, cut), format, tools), held.slice(0, cut) + end)
      held = held.slice(cut + end.length)
      return held !== ''
    }
    if (end !== '') return tooLong()
    // Without an end marker the value's own end decides.
    const opens = held.search(/[{[](?!(?:ARGS|CALL_ID)\])/)
    if (opens < 0) return tooLong()
    const length = createJsonScanner().push(held.slice(opens))
    if (length < 0) return tooLong()
    const body = held.slice(0, opens + length)
    settle(callsOfBody(body, format, tools), body)
    held = held.slice(body.length)
    return held !== ''
  }

  const settle = (found: readonly ToolCall[] | undefined, raw: string): void => {
    if (found) {
      calls(found)
      mode = 'start'
    } else {
      content(begin + raw)
      mode = 'text'
    }
  }

  const tooLong = (): boolean => {
    if (held.length < longestBody) return false
    content((mode === 'marked' ? begin : '') + held)
    held = ''
    forget()
    mode = 'text'
    return false
  }

  const take = (): readonly ToolCallPart[] => {
    const taken = parts
    parts = []
    return taken
  }

  return {
    push(text) {
      held += text
      while (held !== '' && step()) {}
      return take()
    },
    flush() {
      const found = mode === 'marked' ? callsOfBody(held, format, tools) : undefined
      if (found) calls(found)
      else if (mode === 'marked') content(begin + held)
      else if (!(called && held.trim() === '')) content(held)
      held = ''
      mode = 'text'
      return take()
    },
  }
}

/** Length of the longest tail of `text` that is a beginning of one of the markers. */
const pending = (text: string, markers: readonly string[]): number => {
  let most = 0
  for (const marker of markers) {
    for (let length = Math.min(marker.length - 1, text.length); length > most; length--) {
      if (text.endsWith(marker.slice(0, length))) most = length
    }
  }
  return most
}

/** Whether the JSON value in a text is over, so that no more text makes it one that can be read. */
const balanced = (text: string): boolean => {
  const opens = text.search(/[{[]/)
  return opens < 0 || createJsonScanner().push(text.slice(opens)) >= 0
}
