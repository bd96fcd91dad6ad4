/**
 * SentencePiece's vocabularies have scores where tokenizer.json has a list of merges; each follows from the other.
 * @module
 */

/**
 * The merges of a vocabulary with scores: every way to put a token together from two others, those of higher scores first.
 * @param isNormal whether a token takes part; bytes, control tokens and what is cut out beforehand do not
 */
export const mergesOfScores = (
  tokens: readonly string[],
  scores: readonly number[],
  isNormal: (id: number) => boolean,
): [left: string, right: string][] => {
  const ids = new Map<string, number>()
  for (const [id, token] of tokens.entries()) if (isNormal(id)) ids.set(token, id)
  const merges: { readonly pair: [string, string]; readonly id: number; readonly score: number }[] = []
  for (const [token, id] of ids) {
    const splits: { readonly pair: [string, string]; readonly left: number; readonly right: number }[] = []
    for (let at = 1; at < token.length; at++) {
      const pair: [string, string] = [token.slice(0, at), token.slice(at)]
      const [left, right] = [ids.get(pair[0]), ids.get(pair[1])]
      if (left !== undefined && right !== undefined) splits.push({ pair, left, right })
    }
    splits.sort((a, b) => a.left - b.left || a.right - b.right)
    for (const { pair } of splits) merges.push({ pair, id, score: scores[id] ?? 0 })
  }
  merges.sort((a, b) => b.score - a.score || a.id - b.id)
  return merges.map(({ pair }) => pair)
}

/**
 * Scores that make SentencePiece merge in the order of a list: minus the place of a token's first merge, and for tokens that
 * no merge makes one that is below all others.
 */
export const scoresOfMerges = (
  tokens: readonly string[],
  merges: readonly (readonly [left: string, right: string])[],
): number[] => {
  const ranks = new Map<string, number>()
  for (const [rank, [left, right]] of merges.entries()) if (!ranks.has(left + right)) ranks.set(left + right, rank)
  return tokens.map((token) => -(ranks.get(token) ?? merges.length))
}
