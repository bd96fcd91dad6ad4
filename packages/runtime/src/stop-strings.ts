import { AwqError } from '@awq/tensor'

/** What may be shown after a piece of text: `text`, and the stop string that ended it, if one did. */
export interface StopResult {
  readonly text: string
  readonly stopped: string | undefined
}

/** Passes text through and holds back whatever may still turn out to be the start of a stop string. */
export interface StopFilter {
  /** Takes the next piece of text. After a stop string was found everything further is swallowed. */
  push(text: string): StopResult
  /** The end of the text: gives what was held back. */
  flush(): StopResult
}

const longest = 1000
const most = 64

/**
 * A filter for the given stop strings. The result does not depend on where the text is cut into pieces: the match that
 * ends first wins, and of those that end together the one that starts first. A stop string and what follows it never
 * come out; the text before it does.
 * @throws AwqError INVALID_ARGUMENT for an empty string, one of more than 1000 characters, or more than 64 of them
 */
export const createStopFilter = (stops: readonly string[]): StopFilter => {
  check(stops)
  let held = ''
  let done = false
  const finish = (text: string, stopped: string | undefined): StopResult => {
    held = ''
    done = true
    return { text, stopped }
  }
  const push = (text: string): StopResult => {
    if (done) return { text: '', stopped: undefined }
    const buffer = held + text
    const match = firstMatch(buffer, stops)
    if (match) return finish(buffer.slice(0, match.start), match.stop)
    const keep = pendingLength(buffer, stops)
    held = buffer.slice(buffer.length - keep)
    return { text: buffer.slice(0, buffer.length - keep), stopped: undefined }
  }
  return { push, flush: () => finish(held, undefined) }
}

const check = (stops: readonly string[]): void => {
  if (!Array.isArray(stops) || stops.length > most) {
    throw new AwqError('INVALID_ARGUMENT', `stop must be an array of at most ${most} strings.`)
  }
  for (const stop of stops) {
    if (typeof stop !== 'string' || stop.length === 0 || stop.length > longest) {
      throw new AwqError(
        'INVALID_ARGUMENT',
        `Every stop string must have 1 to ${longest} characters; got ${JSON.stringify(stop)?.slice(0, 60)}.`,
      )
    }
  }
}

const firstMatch = (buffer: string, stops: readonly string[]): { start: number; stop: string } | undefined => {
  let best: { start: number; stop: string } | undefined
  for (const stop of stops) {
    const start = buffer.indexOf(stop)
    if (start < 0) continue
    const end = start + stop.length
    const bestEnd = best ? best.start + best.stop.length : Infinity
    if (end < bestEnd || (end === bestEnd && best && start < best.start)) best = { start, stop }
  }
  return best
}

/** Length of the longest tail of `buffer` that is the beginning of some stop string. */
const pendingLength = (buffer: string, stops: readonly string[]): number => {
  let most = 0
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, buffer.length); length > most; length--) {
      if (buffer.endsWith(stop.slice(0, length))) most = length
    }
  }
  return most
}
