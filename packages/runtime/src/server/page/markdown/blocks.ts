/**
 * Markdown as language models write it: CommonMark's blocks and GitHub's tables, without HTML, indented code and underlined
 * headings, which in an answer are mostly something else. A text that is still being written is read as far as it goes.
 * @module
 */
import { parseInline } from './inline.ts'
import {
  cellsOf,
  closesFence,
  columnsOf,
  dedent,
  fenceOf,
  headingOf,
  indentOf,
  isRule,
  type Marker,
  markerOf,
} from './lines.ts'
import type { Block } from './nodes.ts'

/** Lists and quotes deeper than this are text. */
const maxDepth = 8

/** The blocks of a text. */
export const parseMarkdown = (text: string): Block[] => parseLines(text.replaceAll('\t', '    ').split(/\r\n|\r|\n/), 0)

/** Lines of one block that holds others, and where the next block begins. */
interface Held {
  readonly lines: string[]
  readonly end: number
}

const isBlank = (line: string): boolean => line.trim() === ''

const isQuote = (line: string): boolean => /^ {0,3}>/.test(line)

const startsTable = (lines: readonly string[], at: number): boolean => {
  const columns = lines[at]!.includes('|') && at + 1 < lines.length ? columnsOf(lines[at + 1]!) : undefined
  return columns !== undefined && columns.length === cellsOf(lines[at]!).length
}

/** Whether a line cannot belong to the paragraph before it. */
const interrupts = (lines: readonly string[], at: number): boolean => {
  const line = lines[at]!
  const marker = markerOf(line)
  return (
    isBlank(line) ||
    isRule(line) ||
    isQuote(line) ||
    fenceOf(line) !== undefined ||
    headingOf(line) !== undefined ||
    // A number may be part of a sentence, unless it begins to count.
    (marker !== undefined && !isBlank(line.slice(marker.width)) && (!marker.ordered || marker.number === 1)) ||
    startsTable(lines, at)
  )
}

const heldByQuote = (lines: readonly string[], from: number): Held => {
  const held: string[] = []
  let at = from
  for (; at < lines.length; at++) {
    const line = lines[at]!
    if (isQuote(line)) held.push(line.replace(/^ *> ?/, ''))
    else if (interrupts(lines, at) || isBlank(held.at(-1) ?? '')) break
    else held.push(line)
  }
  return { lines: held, end: at }
}

/** Lines of a list item. What is indented by two belongs to it even where its content begins further in. */
const heldByItem = (lines: readonly string[], from: number, { width, ordered }: Marker): Held => {
  const own = indentOf(lines[from]!)
  const held = [lines[from]!.slice(width)]
  let fence = fenceOf(held[0]!)?.fence
  let at = from + 1
  for (; at < lines.length; at++) {
    const line = lines[at]!
    if (isBlank(line)) {
      held.push('')
      continue
    }
    const inside = indentOf(line) >= Math.min(width, own + 2)
    const ends =
      fence !== undefined || held.at(-1) === '' || markerOf(line)?.ordered === ordered || interrupts(lines, at)
    if (!inside && ends) break
    const content = dedent(line, width)
    held.push(content)
    if (fence === undefined) fence = fenceOf(content)?.fence
    else if (closesFence(content, fence)) fence = undefined
  }
  while (held.length > 1 && held.at(-1) === '') {
    held.pop()
    at--
  }
  return { lines: held, end: at }
}

const listAt = (
  lines: readonly string[],
  from: number,
  first: Marker,
  depth: number,
): { block: Block; end: number } => {
  const items: Block[][] = []
  let at = from
  while (at < lines.length) {
    // Blank lines between items belong to the list.
    let next = at
    while (next < lines.length && isBlank(lines[next]!)) next++
    const marker = next < lines.length && !isRule(lines[next]!) ? markerOf(lines[next]!) : undefined
    if (!marker || marker.ordered !== first.ordered || marker.mark !== first.mark) break
    const item = heldByItem(lines, next, marker)
    items.push(parseLines(item.lines, depth + 1))
    at = item.end
  }
  return { block: { type: 'list', start: first.ordered ? first.number : undefined, items }, end: at }
}

const tableAt = (lines: readonly string[], from: number): { block: Block; end: number } => {
  const columns = columnsOf(lines[from + 1]!)!
  const rows: string[][] = []
  let at = from + 2
  for (; at < lines.length && !isBlank(lines[at]!) && lines[at]!.includes('|'); at++) {
    const cells = cellsOf(lines[at]!)
    rows.push(columns.map((_, column) => cells[column] ?? ''))
  }
  const block: Block = {
    type: 'table',
    columns,
    head: cellsOf(lines[from]!).map(parseInline),
    rows: rows.map((row) => row.map(parseInline)),
  }
  return { block, end: at }
}

const codeAt = (lines: readonly string[], from: number): { block: Block; end: number } | undefined => {
  const opening = fenceOf(lines[from]!)
  if (!opening) return undefined
  const { fence, language, indent } = opening
  let at = from + 1
  while (at < lines.length && !closesFence(lines[at]!, fence)) at++
  const text = lines.slice(from + 1, at).map((line) => dedent(line, indent))
  return { block: { type: 'code', language, text: text.join('\n') }, end: at + 1 }
}

const parseLines = (lines: readonly string[], depth: number): Block[] => {
  const blocks: Block[] = []
  let at = 0
  while (at < lines.length) {
    const line = lines[at]!
    if (isBlank(line)) {
      at++
      continue
    }
    const code = codeAt(lines, at)
    const heading = headingOf(line)
    const marker = depth < maxDepth ? markerOf(line) : undefined
    if (code) {
      blocks.push(code.block)
      at = code.end
    } else if (heading) {
      blocks.push({ type: 'heading', level: heading.level, children: parseInline(heading.text) })
      at++
    } else if (isRule(line)) {
      blocks.push({ type: 'rule' })
      at++
    } else if (isQuote(line) && depth < maxDepth) {
      const held = heldByQuote(lines, at)
      blocks.push({ type: 'quote', children: parseLines(held.lines, depth + 1) })
      at = held.end
    } else if (marker) {
      const { block, end } = listAt(lines, at, marker, depth)
      blocks.push(block)
      at = end
    } else if (startsTable(lines, at)) {
      const { block, end } = tableAt(lines, at)
      blocks.push(block)
      at = end
    } else {
      const start = at++
      while (at < lines.length && !interrupts(lines, at)) at++
      const words = lines.slice(start, at).map((each) => each.trimStart())
      blocks.push({ type: 'paragraph', children: parseInline(words.join('\n').trimEnd()) })
    }
  }
  return blocks
}
