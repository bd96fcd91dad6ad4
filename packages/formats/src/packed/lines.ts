/**
 * Codes as bit streams in 32-bit words: code k of a line begins at bit k * bits of the line's words, and may run on into the
 * next one.
 * @module
 */

/** Where the codes and words of one matrix are: line by line, `count` codes in each. */
export interface Lines {
  readonly lines: number
  readonly count: number
  /** Words from one line to the next, and from one word of a line to the next. */
  readonly wordSteps: readonly [line: number, word: number]
  /** Codes from one line to the next, and from one code of a line to the next. */
  readonly codeSteps: readonly [line: number, code: number]
}

/** Rows of codes [rows, columns], packed along the columns: words [rows, words]. */
export const alongRows = (rows: number, columns: number, words: number): Lines => ({
  lines: rows,
  count: columns,
  wordSteps: [words, 1],
  codeSteps: [columns, 1],
})

/** Columns of codes [rows, columns], packed down the rows: words [.., columns]. */
export const downColumns = (rows: number, columns: number): Lines => ({
  lines: columns,
  count: rows,
  wordSteps: [1, columns],
  codeSteps: [1, columns],
})

/** The 32-bit words of `count` codes. */
export const wordsOf = (count: number, bits: number): number => Math.ceil((count * bits) / 32)

/** The words of codes below 2^bits; the rest of a line's last word is zero. */
export const packLines = (codes: Uint8Array, { lines, count, wordSteps, codeSteps }: Lines, bits: number) => {
  const words = new Uint32Array(lines * wordsOf(count, bits))
  for (let line = 0; line < lines; line++) {
    let from = line * codeSteps[0]
    let to = line * wordSteps[0]
    let word = 0
    let offset = 0
    for (let k = 0; k < count; k++, from += codeSteps[1]) {
      const code = codes[from]!
      word |= code << offset
      offset += bits
      if (offset < 32) continue
      words[to] = word
      to += wordSteps[1]
      offset -= 32
      word = offset === 0 ? 0 : code >>> (bits - offset)
    }
    if (offset > 0) words[to] = word
  }
  return words
}

/** The reverse of `packLines`. */
export const unpackLines = (words: Uint32Array, { lines, count, wordSteps, codeSteps }: Lines, bits: number) => {
  const codes = new Uint8Array(lines * count)
  const mask = 2 ** bits - 1
  for (let line = 0; line < lines; line++) {
    let to = line * codeSteps[0]
    let from = line * wordSteps[0]
    let word = words[from]!
    let offset = 0
    for (let k = 0; k < count; k++, to += codeSteps[1]) {
      let code = word >>> offset
      offset += bits
      if (offset >= 32) {
        from += wordSteps[1]
        offset -= 32
        word = from < words.length ? words[from]! : 0
        if (offset > 0) code |= word << (bits - offset)
      }
      codes[to] = code & mask
    }
  }
  return codes
}
