import type { Alignment } from './nodes.ts'

/** The bullet or number that a line begins with. */
export interface Marker {
  readonly ordered: boolean
  /** The bullet, or what follows the number: another one begins another list. */
  readonly mark: string
  readonly number: number
  /** Columns before the content. */
  readonly width: number
}

/** Spaces that a line begins with. */
export const indentOf = (line: string): number => line.length - line.trimStart().length

/** A line without up to so many of its leading spaces. */
export const dedent = (line: string, columns: number): string => line.slice(Math.min(columns, indentOf(line)))

/** The marker of a list item, if the line begins one. */
export const markerOf = (line: string): Marker | undefined => {
  const found = /^( *)([-*+]|(\d{1,9})([.)]))( +|$)/.exec(line)
  if (!found) return undefined
  const [, indent = '', sign = '', number, delimiter, space = ''] = found
  return {
    ordered: number !== undefined,
    mark: delimiter ?? sign,
    number: Number(number ?? 0),
    width: indent.length + sign.length + Math.min(Math.max(space.length, 1), 4),
  }
}

/** The fence that opens a code block: its mark, and the words after it. */
export const fenceOf = (
  line: string,
): { readonly fence: string; readonly language: string; readonly indent: number } | undefined => {
  const found = /^( *)(`{3,}|~{3,})(.*)$/.exec(line)
  const [, indent = '', fence = '', words = ''] = found ?? []
  if (!found || (fence.startsWith('`') && words.includes('`'))) return undefined
  return { fence, language: words.trim().split(/\s/, 1)[0] ?? '', indent: indent.length }
}

/** Whether a line closes a fence: the same mark, at least as often, and nothing else. */
export const closesFence = (line: string, fence: string): boolean => {
  const words = line.trim()
  return words.length >= fence.length && words === fence[0]!.repeat(words.length)
}

export const isRule = (line: string): boolean => /^ *([-*_])(?: *\1){2,} *$/.test(line)

/** `## Heading ##`. */
export const headingOf = (line: string): { readonly level: number; readonly text: string } | undefined => {
  const found = /^ {0,3}(#{1,6})(?: (.*))?$/.exec(line)
  if (!found) return undefined
  const words = (found[2] ?? '').trim()
  const closing = /(?:^|\s)#+$/.exec(words)
  return { level: found[1]!.length, text: (closing ? words.slice(0, closing.index) : words).trim() }
}

/** The cells of a line of a table; `\|` and a `|` in code do not part them. */
export const cellsOf = (line: string): string[] => {
  const cells: string[] = []
  let cell = ''
  let code = false
  const words = line.trim()
  for (let at = words.startsWith('|') ? 1 : 0; at < words.length; at++) {
    const character = words[at]!
    if (character === '\\' && words[at + 1] === '|') {
      cell += '|'
      at++
    } else if (character === '|' && !code) {
      cells.push(cell.trim())
      cell = ''
    } else {
      if (character === '`') code = !code
      cell += character
    }
  }
  if (!words.endsWith('|') || code) cells.push(cell.trim())
  return cells
}

/** The columns that the second line of a table declares. */
export const columnsOf = (line: string): Alignment[] | undefined => {
  if (!line.includes('-') || !line.includes('|') || !/^[\s|:-]+$/.test(line)) return undefined
  const cells = cellsOf(line)
  if (!cells.every((cell) => /^:?-+:?$/.test(cell))) return undefined
  return cells.map((cell) => {
    const left = cell.startsWith(':')
    if (cell.endsWith(':')) return left ? 'center' : 'right'
    return left ? 'left' : undefined
  })
}
