/**
 * How a text comes to its end within the tokens that are left.
 * @module
 */
import type { Expression } from './expression.ts'
import { leastLength, shortestText } from './shortest.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Ways to the ends of texts. */
export interface Closings {
  /** Whether `tokens` are surely enough, found without spelling them: every byte is a token. */
  surely(state: Expression, tokens: number): boolean
  /** The fewest tokens that spell a shortest text; undefined where none is found. The array is kept. */
  tokensOf(state: Expression): readonly number[] | undefined
}

/** Texts longer than this are not spelled. */
const longestText = 16_384
const mostKept = 200

/** Ways to the ends of texts of one vocabulary. */
export const createClosings = (vocabulary: Vocabulary): Closings => {
  const kept = new Map<Expression, readonly number[] | undefined>()
  return {
    surely: (state, tokens) => leastLength(state) <= tokens && (state.nullable || vocabulary.spellsBytes),
    tokensOf(state) {
      if (kept.has(state)) return kept.get(state)
      const text = shortestText(state, longestText)
      const spelled = text && spell(text, vocabulary)
      kept.set(state, spelled)
      if (kept.size > mostKept) kept.delete(kept.keys().next().value as Expression)
      return spelled
    },
  }
}

/** The fewest tokens whose bytes are a text; symbols from 256 on are control tokens. */
const spell = (text: readonly number[], { bytes, ends, tokens }: Vocabulary): readonly number[] | undefined => {
  const { length } = text
  /** Tokens that are needed from each place on, and the first of them. */
  const needed = new Uint32Array(length + 1).fill(length + 1, 0, length)
  const first = new Int32Array(length)
  const sizes = new Uint16Array(length)
  const consider = (at: number, token: number, size: number): void => {
    const count = 1 + (needed[at + size] as number)
    if (count >= (needed[at] as number)) return
    needed[at] = count
    first[at] = token
    sizes[at] = size
  }
  const childOf = (node: number, byte: number): number => {
    const last = ends[node] as number
    for (let child = node + 1; child < last; child = ends[child] as number) if (bytes[child] === byte) return child
    return 0
  }
  for (let at = length - 1; at >= 0; at--) {
    const symbol = text[at] as number
    if (symbol >= 256) {
      consider(at, symbol - 256, 1)
      continue
    }
    let node = 0
    for (let size = 1; at + size <= length; size++) {
      node = childOf(node, text[at + size - 1] as number)
      if (node === 0) break
      if ((tokens[node] as number) >= 0) consider(at, tokens[node] as number, size)
    }
  }
  if ((needed[0] as number) > length) return undefined
  const spelled: number[] = []
  for (let at = 0; at < length; at += sizes[at] as number) spelled.push(first[at] as number)
  return spelled
}
