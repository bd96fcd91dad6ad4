/**
 * Marks within a line of text: the part of CommonMark (0.31, 6) that language models write, in time linear in its length.
 * HTML stays text, and so do links to anything but the web and mail. Images become links: showing one would tell its server.
 * @module
 */
import type { Inline } from './nodes.ts'

/** A run of `*`, `_` or `~` that may begin or end something. */
interface Run {
  readonly type: 'run'
  readonly mark: string
  readonly length: number
  left: number
  readonly opens: boolean
  readonly closes: boolean
}

/** A `[` that a link may begin with. */
interface Bracket {
  readonly type: 'bracket'
  readonly text: string
}

type Part = Inline | Run | Bracket

/** Longer runs are a line that somebody drew. */
const longestRun = 3

/** Runs that wait for their ends; the oldest gives way. Bounds time, and the depth of what comes out. */
const mostOpen = 16

const isSpace = (character: string): boolean => /^\s?$/u.test(character)
const isPunctuation = (character: string): boolean => /^[\p{P}\p{S}]$/u.test(character)

const runAt = (text: string, at: number): Run => {
  const mark = text[at]!
  let end = at
  while (text[end] === mark) end++
  const before = [...text.slice(Math.max(0, at - 2), at)].at(-1) ?? ''
  const after = String.fromCodePoint(text.codePointAt(end) ?? 0x20)
  const leftFlanking = !isSpace(after) && (!isPunctuation(after) || isSpace(before) || isPunctuation(before))
  const rightFlanking = !isSpace(before) && (!isPunctuation(before) || isSpace(after) || isPunctuation(after))
  const length = end - at
  const word = mark === '_'
  return {
    type: 'run',
    mark,
    length,
    left: length,
    // An underscore within a word is part of it.
    opens: length <= longestRun && leftFlanking && (!word || !rightFlanking || isPunctuation(before)),
    closes: length <= longestRun && rightFlanking && (!word || !leftFlanking || isPunctuation(after)),
  }
}

const asInline = (part: Part): Inline =>
  part.type === 'run'
    ? { type: 'text', text: part.mark.repeat(part.left) }
    : part.type === 'bracket'
      ? { type: 'text', text: part.text }
      : part

/** Neighbouring texts as one, empty ones as none. */
const joined = (nodes: readonly Inline[]): Inline[] => {
  const made: Inline[] = []
  for (const node of nodes) {
    const last = made.at(-1)
    if (node.type === 'text' && last?.type === 'text')
      made[made.length - 1] = { type: 'text', text: last.text + node.text }
    else if (node.type !== 'text' || node.text !== '') made.push(node)
  }
  return made
}

/** Pairs runs into emphasis, the innermost first, as CommonMark does. */
const resolveRuns = (parts: readonly Part[]): Inline[] => {
  const out: Part[] = []
  const open: { readonly run: Run; readonly place: number }[] = []
  for (const part of parts) {
    if (part.type !== 'run') {
      out.push(part)
      continue
    }
    while (part.closes && part.left > 0) {
      const found = open.findLastIndex(({ run }) => matches(run, part))
      if (found < 0) break
      const { run, place } = open[found]!
      open.length = found + 1
      const used = part.mark === '~' ? part.left : run.left > 1 && part.left > 1 ? 2 : 1
      const children = joined(out.splice(place + 1).map(asInline))
      out.push({ type: part.mark === '~' ? 'strike' : used === 2 ? 'strong' : 'emphasis', children })
      run.left -= used
      part.left -= used
      if (run.left === 0) open.pop()
    }
    if (part.left === 0) continue
    if (part.opens) {
      if (open.length === mostOpen) open.shift()
      open.push({ run: part, place: out.length })
    }
    out.push(part)
  }
  return joined(out.map(asInline))
}

const matches = (opener: Run, closer: Run): boolean => {
  if (opener.mark !== closer.mark) return false
  if (opener.mark === '~') return opener.length === closer.length && opener.length <= 2
  const sum = opener.length + closer.length
  const both = opener.closes || closer.opens
  return !(both && sum % 3 === 0 && (opener.length % 3 !== 0 || closer.length % 3 !== 0))
}

/** An address that may be followed, or undefined. */
export const safeAddress = (address: string): string | undefined => {
  if (!/^(?:https?:\/\/|mailto:)/i.test(address)) return undefined
  try {
    return new URL(address).href
  } catch {
    return undefined
  }
}

/** `(address "title")` from a place on; the address may have balanced parentheses or stand in angle brackets. */
const targetAt = (text: string, at: number): { readonly address: string; readonly end: number } | undefined => {
  const rest = text.slice(at, at + 4096)
  const target = /^\(\s*(?:<([^<>\n]*)>|((?:[^\s()<>]|\([^\s()<>]*\))*))(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)/.exec(rest)
  return target ? { address: target[1] ?? target[2] ?? '', end: at + target[0].length } : undefined
}

/** Where runs of backticks begin, by their length. */
const backticks = (text: string): Map<number, number[]> => {
  const places = new Map<number, number[]>()
  for (const { 0: run, index } of text.matchAll(/`+/g)) {
    const known = places.get(run.length)
    if (known) known.push(index)
    else places.set(run.length, [index])
  }
  return places
}

const bareAddress = /(?:https?:\/\/)[^\s<>"'`*|\\^{}[\]]+/iy

/** An address in the middle of a text, without what ends the sentence that it stands in. */
const bareAddressAt = (text: string, at: number): string | undefined => {
  if (at > 0 && /[\p{L}\p{N}_]/u.test(text[at - 1]!)) return undefined
  bareAddress.lastIndex = at
  let found = bareAddress.exec(text)?.[0].replace(/[.,:;!?_~]+$/, '')
  while (found?.endsWith(')') && found.split(')').length > found.split('(').length) found = found.slice(0, -1)
  return found
}

/** Characters that may be more than themselves. */
const special = /[\\`*_~[\]<!\nhH]/g

/** The marks of a text. Joining the texts of all nodes gives its words back. */
export const parseInline = (text: string): Inline[] => {
  const parts: Part[] = []
  const brackets: number[] = []
  const fences = text.includes('`') ? backticks(text) : new Map<number, number[]>()
  let at = 0
  const put = (words: string): void => {
    parts.push({ type: 'text', text: words })
  }
  while (at < text.length) {
    special.lastIndex = at
    const next = special.exec(text)?.index ?? text.length
    if (next > at) put(text.slice(at, next))
    at = next
    const character = text[at]
    if (character === undefined) break
    if (character === '\\') {
      const escaped = text[at + 1] ?? ''
      if (escaped === '\n') {
        parts.push({ type: 'break' })
        at += 2
      } else if (/[!-/:-@[-`{-~]/.test(escaped)) {
        put(escaped)
        at += 2
      } else {
        put('\\')
        at++
      }
    } else if (character === '`') {
      let length = 1
      while (text[at + length] === '`') length++
      const places = fences.get(length) ?? []
      while (places.length > 0 && places[0]! <= at) places.shift()
      const end = places[0]
      if (end === undefined) {
        put('`'.repeat(length))
        at += length
      } else {
        const inside = text.slice(at + length, end).replaceAll('\n', ' ')
        parts.push({ type: 'code', text: /^ .*[^ ].* $/.test(inside) ? inside.slice(1, -1) : inside })
        at = end + length
      }
    } else if (character === '*' || character === '_' || character === '~') {
      const run = runAt(text, at)
      parts.push(run)
      at += run.length
    } else if (character === '[' || (character === '!' && text[at + 1] === '[')) {
      brackets.push(parts.length)
      parts.push({ type: 'bracket', text: character === '!' ? '![' : '[' })
      at += character === '!' ? 2 : 1
    } else if (character === ']') {
      const place = brackets.pop()
      const target = place === undefined ? undefined : targetAt(text, at + 1)
      const address = target && safeAddress(target.address)
      if (place === undefined || !target || address === undefined) {
        put(']')
        at++
      } else {
        const children = resolveRuns(parts.splice(place).slice(1))
        const shown: Inline[] = children.length > 0 ? children : [{ type: 'text', text: address }]
        parts.push({ type: 'link', address, children: shown })
        // A link holds no links.
        brackets.length = 0
        at = target.end
      }
    } else if (character === '<') {
      const found = /^<((?:https?:\/\/|mailto:)[^\s<>]{1,2000})>/i.exec(text.slice(at, at + 2048))
      const address = found?.[1] === undefined ? undefined : safeAddress(found[1])
      if (found && address !== undefined) {
        parts.push({ type: 'link', address, children: [{ type: 'text', text: found[1]! }] })
        at += found[0].length
      } else {
        put('<')
        at++
      }
    } else if (character === 'h' || character === 'H') {
      const found = brackets.length === 0 ? bareAddressAt(text, at) : undefined
      const address = found === undefined ? undefined : safeAddress(found)
      if (found !== undefined && address !== undefined) {
        parts.push({ type: 'link', address, children: [{ type: 'text', text: found }] })
        at += found.length
      } else {
        put(character)
        at++
      }
    } else if (character === '\n') {
      const last = parts.at(-1)
      const hard = last?.type === 'text' && / {2,}$/.test(last.text)
      if (last?.type === 'text') parts[parts.length - 1] = { type: 'text', text: last.text.replace(/ +$/, '') }
      parts.push(hard ? { type: 'break' } : { type: 'text', text: '\n' })
      at++
    } else {
      put(character)
      at++
    }
  }
  return resolveRuns(parts)
}
