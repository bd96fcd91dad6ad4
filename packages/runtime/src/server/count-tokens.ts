import type { Tokenizer } from '@awq/text'

/** Texts up to this length are encoded as they are. */
const shortText = 65_536
/** Characters that are encoded at a time, before others get their turn. */
const pieceLength = 2048
/** Tokens that a cut between two pieces may have made more of than the whole text has. */
const slackPerCut = 16
/** Characters per token that hardly any text has. */
const charactersPerToken = 4

/**
 * Whether a text has surely more than `limit` tokens, found without encoding all of it: a prompt of megabytes takes its
 * tokenizer seconds, in which nothing else would run. Returns how many it has at least, undefined when it may fit.
 */
export const surelyMoreTokens = async (
  tokenizer: Tokenizer,
  text: string,
  limit: number,
  signal: AbortSignal,
): Promise<number | undefined> => {
  if (text.length <= Math.min(shortText, limit * charactersPerToken)) return undefined
  let least = 0
  for (let at = 0; at < text.length; at += pieceLength) {
    least += tokenizer.encode(text.slice(at, at + pieceLength)).length
    if (at > 0) least -= slackPerCut
    if (least > limit) return least
    await new Promise((resolve) => setImmediate(resolve))
    signal.throwIfAborted()
  }
  return undefined
}
