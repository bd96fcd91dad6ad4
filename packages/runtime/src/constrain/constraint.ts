/**
 * A language of bytes as a constraint on tokens.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { Constraint, TokenConstraint } from '../token-constraint.ts'
import type { Closings } from './closing.ts'
import { derive, type Expression, end, none } from './expression.ts'
import type { TokenMasks } from './token-mask.ts'
import type { Vocabulary } from './vocabulary.ts'

/** What is known of a vocabulary. */
export interface VocabularyParts {
  readonly vocabulary: Vocabulary
  readonly masks: TokenMasks
  readonly closings: Closings
}

/**
 * A constraint to the texts of a language.
 * @param controlIds control tokens that the language contains (`controlToken`)
 */
export const expressionConstraint = (
  language: Expression,
  parts: VocabularyParts,
  controlIds: readonly number[] = [],
): Constraint => ({
  start: () => startAt(language, parts, controlIds),
})

const startAt = (
  language: Expression,
  { vocabulary: { words, eosIds, bytesOf }, masks, closings }: VocabularyParts,
  controlIds: readonly number[],
): TokenConstraint => {
  const mask = new Uint32Array(words)
  let state = language
  /** Tokens that lead to an end from here on, where they were counted; and behind the token that is to be accepted. */
  let way: readonly number[] | undefined
  let wayBehind: { readonly id: number; readonly way: readonly number[] } | undefined
  /** There is no way to an end in so few tokens: then the model's own is as good. */
  let hopeless = false
  const set = (id: number): void => {
    mask[id >> 5] = (mask[id >> 5] as number) | (1 << (id & 31))
  }
  const follow = (id: number): Expression => {
    if (controlIds.includes(id)) return derive(state, 256 + id)
    if (eosIds.includes(id)) return state.nullable ? end : none
    let next = state
    for (const byte of bytesOf(id) ?? []) next = derive(next, byte)
    return bytesOf(id) === undefined ? none : next
  }
  return {
    allowed() {
      mask.set(masks.of(state))
      for (const id of controlIds) if (derive(state, 256 + id) !== none) set(id)
      if (state.nullable) for (const id of eosIds) set(id)
      return mask
    },
    accept(id) {
      const next = follow(id)
      if (next === none) throw new AwqError('INVALID_ARGUMENT', `Token ${id} is not allowed here by the constraint.`)
      state = next
      way = wayBehind?.id === id ? wayBehind.way : undefined
      wayBehind = undefined
    },
    within(id, most) {
      const next = hopeless ? none : follow(id)
      if (next === none || closings.surely(next, most - 1)) return id
      const behind = way?.[0] === id ? way.slice(1) : closings.tokensOf(next)
      if (behind && behind.length < most) {
        wayBehind = { id, way: behind }
        return id
      }
      const here = way ?? closings.tokensOf(state)
      hopeless = !here || here.length > most
      if (!here || hopeless) return id
      const [first = eosIds[0], ...rest] = here
      if (first === undefined) return id
      wayBehind = { id: first, way: rest }
      return first
    },
    get complete() {
      return state.nullable
    },
    get finished() {
      return state === end
    },
  }
}
