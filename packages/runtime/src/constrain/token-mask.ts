/**
 * Which tokens may come next: the tree of the vocabulary walked along an expression.
 *
 * Most of a vocabulary is decided by the innermost thing that is being written (a string, a number), whatever it stands
 * in. So the walk is made for it alone and kept, with the nodes at which it may be over; only from these nodes on, a few
 * of all, the walk is made again with what follows.
 * @module
 */
import { derive, type Expression, end, none, repeat, sequence, unit } from './expression.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Finds masks over one vocabulary. */
export interface TokenMasks {
  /**
   * The tokens whose bytes, whole or as a beginning, are a beginning of the language's texts: bit `id & 31` of word
   * `id >> 5`. The array is kept and must not be changed.
   */
  of(state: Expression): Uint32Array
}

interface HeadMask {
  readonly words: Uint32Array
  /** Nodes with others below them at which the head may be over. */
  readonly exits: readonly number[]
}

const mostHeads = 400
const mostMasks = 200

/** Masks of one vocabulary, of which the latest are kept. */
export const createTokenMasks = (vocabulary: Vocabulary): TokenMasks => {
  const { bytes, depths, ends, tokens, sameAs, words, longest } = vocabulary
  const heads = new Map<Expression, HeadMask>()
  const masks = new Map<Expression, Uint32Array>()
  const path: Expression[] = new Array(longest + 2)

  const add = (mask: Uint32Array, node: number): void => {
    for (let id = tokens[node] as number; id >= 0; id = sameAs[id] as number) {
      mask[id >> 5] = (mask[id >> 5] as number) | (1 << (id & 31))
    }
  }

  /** All nodes below one. */
  const walk = (from: number, start: Expression, mask: Uint32Array, exits?: number[]): void => {
    const last = ends[from] as number
    path[depths[from] as number] = start
    for (let node = from + 1; node < last; ) {
      const depth = depths[node] as number
      const before = path[depth - 1] as Expression
      const state = before.next?.[bytes[node] as number] ?? derive(before, bytes[node] as number)
      if (state === none) {
        node = ends[node] as number
        continue
      }
      add(mask, node)
      if (exits && state.nullable && (ends[node] as number) > node + 1) exits.push(node)
      path[depth] = state
      node = state === end ? (ends[node] as number) : node + 1
    }
  }

  const headOf = (head: Expression): HeadMask => {
    const key = clamped(head, longest)
    const found = heads.get(key)
    if (found) {
      heads.delete(key)
      heads.set(key, found)
      return found
    }
    const made = { words: new Uint32Array(words), exits: [] as number[] }
    walk(0, key, made.words, made.exits)
    heads.set(key, made)
    if (heads.size > mostHeads) heads.delete(heads.keys().next().value as Expression)
    return made
  }

  const addAll = (mask: Uint32Array, state: Expression): void => {
    if (state.kind === 'choice') {
      for (const member of state.members) addAll(mask, member)
      return
    }
    const head = state.kind === 'sequence' ? state.head : state
    const tail = state.kind === 'sequence' ? state.tail : end
    const { words: own, exits } = headOf(head)
    for (let word = 0; word < words; word++) mask[word] = (mask[word] as number) | (own[word] as number)
    if (tail === end) return
    for (const exit of exits) walk(exit, tail, mask)
    if (head.nullable) addAll(mask, tail)
  }

  return {
    of(state) {
      const found = masks.get(state)
      if (found) return found
      const mask = new Uint32Array(words)
      addAll(mask, state)
      masks.set(state, mask)
      if (masks.size > mostMasks) masks.delete(masks.keys().next().value as Expression)
      return mask
    },
  }
}

/** The same for the next `longest` bytes: counts that these cannot use up are left out, so that fewer masks are found. */
const clamped = (of: Expression, longest: number): Expression => {
  if (of.kind === 'unit') return unit(clamped(of.of, longest))
  if (of.kind === 'sequence') return sequence(clamped(of.head, longest), clamped(of.tail, longest))
  if (of.kind !== 'repeat') return of
  return repeat(of.of, Math.min(of.least, longest + 1), of.most > longest ? Number.POSITIVE_INFINITY : of.most)
}
