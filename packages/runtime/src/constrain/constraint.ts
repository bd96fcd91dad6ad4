/**
 * A language of bytes as a constraint on tokens.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { Constraint, TokenConstraint } from '../token-constraint.ts'
import { derive, type Expression, end, none } from './expression.ts'
import type { TokenMasks } from './token-mask.ts'
import type { Vocabulary } from './vocabulary.ts'

/**
 * A constraint to the texts of a language.
 * @param controlIds control tokens that the language contains (`controlToken`)
 */
export const expressionConstraint = (
  language: Expression,
  vocabulary: Vocabulary,
  masks: TokenMasks,
  controlIds: readonly number[] = [],
): Constraint => ({
  start: () => startAt(language, vocabulary, masks, controlIds),
})

const startAt = (
  language: Expression,
  { words, eosIds, bytesOf }: Vocabulary,
  masks: TokenMasks,
  controlIds: readonly number[],
): TokenConstraint => {
  const mask = new Uint32Array(words)
  let state = language
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
    },
    get complete() {
      return state.nullable
    },
    get finished() {
      return state === end
    },
  }
}
