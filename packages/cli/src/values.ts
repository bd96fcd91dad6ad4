/** Reads the text of one option's value, or throws an Error whose message continues "--option ...": "must be ...". */
export type ValueParser<T> = (text: string) => T

const quoted = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
const refuse = (expected: string, text: string): never => {
  throw new Error(`must be ${expected}, not ${quoted(text)}`)
}
const enumerate = (words: readonly (string | number)[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words[words.length - 1]}`

/** Any text but the empty one, nor one with a NUL, which no path or model name holds. */
export const text: ValueParser<string> = (value) => {
  if (value === '' || value.includes('\0')) refuse('a text that is not empty', value)
  return value
}

/** Any text, the empty one included: a prompt. */
export const anyText: ValueParser<string> = (value) => value

const decimal = /^-?\d+$/

/** A whole number in decimal digits within [least, most]. `4x`, `0x4`, `1e3` and `4.0` are refused. */
export const integer =
  (least: number, most: number = Number.MAX_SAFE_INTEGER, expected?: string): ValueParser<number> =>
  (value) => {
    const number = decimal.test(value) ? Number(value) : Number.NaN
    const words = expected ?? (least === 1 ? 'a positive whole number' : `a whole number of at least ${least}`)
    if (!Number.isSafeInteger(number) || number < least) refuse(words, value)
    if (number > most) refuse(`at most ${most}`, value)
    return number
  }

/** A finite decimal number within [least, most]: `0.7`, `1e-3`. Hexadecimal, blanks and words are refused. */
export const number =
  (least: number, most = Number.POSITIVE_INFINITY): ValueParser<number> =>
  (value) => {
    const parsed = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : Number.NaN
    const range =
      most === Number.POSITIVE_INFINITY ? `a number of at least ${least}` : `a number from ${least} to ${most}`
    if (!Number.isFinite(parsed) || parsed < least || parsed > most) refuse(range, value)
    return parsed
  }

/** One of the given words, exactly. */
export const oneOf =
  <const T extends string>(words: readonly T[]): ValueParser<T> =>
  (value) =>
    words.find((word) => word === value) ?? refuse(enumerate(words), value)

/** One of the given whole numbers, in decimal digits. */
export const oneOfNumbers =
  <const T extends number>(numbers: readonly T[]): ValueParser<T> =>
  (value) =>
    numbers.find((candidate) => String(candidate) === value) ?? refuse(enumerate(numbers), value)

/** Values separated by commas, blanks around them ignored; at least one, each read by `item`, repeated ones dropped. */
export const listOf =
  <T>(item: ValueParser<T>): ValueParser<T[]> =>
  (value) => [...new Set(sequenceOf(item)(value))]

/** Values separated by commas in their order, repeated ones kept: token ids. */
export const sequenceOf =
  <T>(item: ValueParser<T>): ValueParser<T[]> =>
  (value) => {
    const parts = value.split(',').map((part) => part.trim())
    if (parts.some((part) => part === '')) refuse('values separated by commas', value)
    return parts.map(item)
  }

const byteUnits: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
}

/** Bytes, with a decimal (kB, MB, GB) or binary (KiB, MiB, GiB) unit or none: `70MB`, `1.5 GiB`, `70000000`. */
export const byteSize: ValueParser<number> = (value) => {
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(value) ?? []
  const size = Math.floor(Number(amount) * (byteUnits[unit.toLowerCase()] ?? Number.NaN))
  if (amount === '' || !Number.isSafeInteger(size) || size < 1) refuse('a size such as 70MB, 70MiB or 1.5GB', value)
  return size
}

/** Weights per scale: a power of two from 16 to 256 (what MatMulNBits has), or -1 for one scale per row. */
export const groupSize: ValueParser<number> = (value) => {
  if (!['16', '32', '64', '128', '256', '-1'].includes(value)) {
    refuse('16, 32, 64, 128, 256 or -1 (one scale per output channel)', value)
  }
  return Number(value)
}
