/** Shorter pieces are not announced by themselves. */
const shortest = 60

/**
 * How far into a growing text a screen reader may be told of it: to the last end of a sentence or a line after `from`, to
 * the end when the text is complete, and not at all while there is little.
 */
export const announceUpTo = (text: string, from: number, complete: boolean): number => {
  if (complete) return text.length
  const fresh = text.slice(from)
  let end = 0
  for (const { 0: mark, index } of fresh.matchAll(/[.!?:…]["'”’)\]*_]*\s|[。！？]|\n/g)) end = index + mark.length
  return end >= shortest ? from + end : from
}
