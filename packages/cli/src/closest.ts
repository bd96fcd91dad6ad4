/**
 * Edit distance between two words: the least number of insertions, deletions and replacements of one
 * character, and swaps of two neighbours, that turn `a` into `b` (optimal string alignment).
 */
export const editDistance = (a: string, b: string): number => {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      let best = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      )
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) best = Math.min(best, (beforeLast[column - 2] ?? 0) + 1)
      current.push(best)
    }
    beforeLast = last
    last = current
  }
  return last[b.length] ?? 0
}

/**
 * The known word that was probably meant: the nearest one by {@link editDistance} when at most a third of its letters
 * (and at least two) differ, else one that the word begins or that begins the word, else undefined.
 */
export const closest = (word: string, known: readonly string[]): string | undefined => {
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  if (best && best.distance <= Math.max(2, Math.floor(best.candidate.length / 3)) && best.distance < word.length) {
    return best.candidate
  }
  if (word.length < 2) return undefined
  return known.find((candidate) => candidate.startsWith(word) || word.startsWith(candidate))
}
