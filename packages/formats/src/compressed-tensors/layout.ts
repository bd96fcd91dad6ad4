/**
 * How compressed-tensors packs integers (format `pack-quantized`): rows of codes as bit streams in 32-bit words.
 *
 * - dense (compressed-tensors 0.14 and later): code i of a row begins at bit i * bits, and may run on into the next word;
 * - whole (before that): floor(32 / bits) codes in each word from its lowest bits up, the rest of the word unused.
 *
 * Both are the same where bits divide 32. A code is `signed + 2^(bits - 1)`, hence ours. Zero points are packed likewise, but
 * down the rows: word k of group g holds those of rows k * 32 / bits and on.
 * @module
 */
import { alongRows, downColumns, type Lines, packLines, unpackLines, wordsOf } from '../packed/lines.ts'

/** Bits of a packed code. */
export type PackedBits = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8

/** Whether codes run over the ends of words. */
export type Packing = 'dense' | 'whole'

/** The 32-bit words of `count` codes. */
export const packedWords = (count: number, bits: number, packing: Packing): number =>
  packing === 'dense' ? wordsOf(count, bits) : Math.ceil(count / Math.floor(32 / bits))

/** The packing that `count` codes have in `words` words; null when they are neither's. Dense where both are the same. */
export const packingOf = (count: number, bits: number, words: number): Packing | null =>
  words === packedWords(count, bits, 'dense') ? 'dense' : words === packedWords(count, bits, 'whole') ? 'whole' : null

/** Codes of whole words: no code runs on into the next. */
const unpackWhole = (words: Uint32Array, { lines, count, wordSteps, codeSteps }: Lines, bits: number): Uint8Array => {
  const codes = new Uint8Array(lines * count)
  const mask = 2 ** bits - 1
  const perWord = Math.floor(32 / bits)
  for (let line = 0; line < lines; line++)
    for (let i = 0; i < count; i++) {
      const word = words[line * wordSteps[0] + Math.floor(i / perWord) * wordSteps[1]]!
      codes[line * codeSteps[0] + i * codeSteps[1]] = (word >>> ((i % perWord) * bits)) & mask
    }
  return codes
}

const unpack = (words: Uint32Array, lines: Lines, bits: number, packing: Packing): Uint8Array =>
  packing === 'whole' ? unpackWhole(words, lines, bits) : unpackLines(words, lines, bits)

/** Codes [rows, columns], one per byte, of words [rows, packedWords(columns)]. */
export const unpackRows = (words: Uint32Array, rows: number, columns: number, bits: number, packing: Packing) =>
  unpack(words, alongRows(rows, columns, packedWords(columns, bits, packing)), bits, packing)

/** Codes [rows, columns] of words [packedWords(rows), columns]: zero points, `columns` being groups. */
export const unpackColumns = (words: Uint32Array, rows: number, columns: number, bits: number, packing: Packing) =>
  unpack(words, downColumns(rows, columns), bits, packing)

/** Dense words [rows, packedWords(columns)] of codes [rows, columns] below 2^bits. */
export const packRows = (codes: Uint8Array, rows: number, columns: number, bits: number): Uint32Array =>
  packLines(codes, alongRows(rows, columns, packedWords(columns, bits, 'dense')), bits)

/** Dense words [packedWords(rows), columns] of codes [rows, columns] below 2^bits. */
export const packColumns = (codes: Uint8Array, rows: number, columns: number, bits: number): Uint32Array =>
  packLines(codes, downColumns(rows, columns), bits)
