/**
 * One run of the model and the tokens it settles: one, or several when a draft was right.
 * @module
 */
import { type TokenLogprob, tokenLogprob } from './logprobs.ts'
import type { Drafter } from './prompt-lookup.ts'
import type { Sampler } from './sampler.ts'
import type { TokenConstraint } from './token-constraint.ts'
import type { Conversation, TokenModel } from './token-model.ts'

/** What a run settled. */
export interface NextTokens {
  /** At least one token. */
  readonly ids: readonly number[]
  readonly drafted: number
  /** One for each id where they were asked for, else none. */
  readonly logprobs: readonly TokenLogprob[]
  /** How many of the ids, from the first on, are of the draft. */
  readonly accepted: number
}

/** What does not change from run to run. */
export interface NextTokensOptions {
  readonly model: Pick<TokenModel, 'contextLength' | 'regime' | 'vocabSize'>
  readonly conversation: Conversation
  readonly sampler: Sampler
  readonly drafter: Drafter | undefined
  /** What may be written; it is told every token that is chosen. */
  readonly constraint?: TokenConstraint | undefined
  /** Alternatives for which log-probabilities are wanted, besides that of the token itself. */
  readonly logprobs?: number | undefined
  /** True for a token that nothing follows. */
  readonly ends: (id: number) => boolean
  readonly signal: AbortSignal | undefined
}

/**
 * Runs those tokens of `context` that are not in the cache yet, and a draft of what may follow; chooses a token after
 * each in turn, with the same random numbers as without a draft, for as long as the draft says the same. So the output is
 * what it would be without drafts, at every setting, given the same logits. Tokens of the draft that were wrong leave the cache.
 * @param context prompt and output; it is appended to
 * @param most tokens that are still wanted, 1 or more
 */
export const nextTokens = async (
  context: number[],
  most: number,
  { model, conversation, sampler, drafter, constraint, logprobs: alternatives, ends, signal }: NextTokensOptions,
): Promise<NextTokens> => {
  const fresh = context.slice(conversation.length)
  // A prompt is long: the logits of all its tokens would cost more than the draft saves.
  const room = fresh.length > 1 ? 0 : Math.min(most - 1, model.contextLength - context.length)
  const drafted = room > 0 && drafter ? drafter.draft(context, room) : []
  // Rows of an image are no tokens that could be written.
  const image = drafted.findIndex((id) => id >= model.vocabSize)
  const found = image < 0 ? drafted : drafted.slice(0, image)
  const known = context.length
  // With the draft behind it the first token would be turned as in the longer sequence.
  const draft = model.regime?.(known) === model.regime?.(known + found.length) ? found : []
  const logits = await conversation.extend(draft.length > 0 ? [...fresh, ...draft] : fresh, {
    signal,
    logits: draft.length > 0 ? 'all' : 'last',
  })
  signal?.throwIfAborted()
  const ids: number[] = []
  const logprobs: TokenLogprob[] = []
  let accepted = 0
  for (let row = 0; row <= draft.length; row++) {
    const { vocabSize } = model
    const own = draft.length > 0 ? logits.subarray(row * vocabSize, (row + 1) * vocabSize) : logits
    const wished = sampler.choose(own, constraint?.allowed())
    const id = constraint?.within?.(wished, most - row) ?? wished
    if (alternatives !== undefined) logprobs.push(tokenLogprob(own, id, alternatives))
    sampler.take(id)
    constraint?.accept(id)
    context.push(id)
    ids.push(id)
    if (id !== draft[row]) break
    accepted++
    if (ends(id) || constraint?.finished) break
  }
  if (draft.length > 0) {
    conversation.truncate(known + accepted)
    drafter?.judge(draft.length, accepted)
  }
  return { ids, logprobs, drafted: draft.length, accepted }
}
