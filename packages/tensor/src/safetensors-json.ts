import { AwqError, quoted } from './error.ts'

/** One tensor of a header as written: nothing about it is checked yet but its types. */
export interface HeaderEntry {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  readonly begin: number
  readonly end: number
}

/** A header as written. */
export interface HeaderJson {
  readonly entries: readonly HeaderEntry[]
  readonly metadata: ReadonlyMap<string, string>
}

/** The most tensors one file may have; the largest models have some 10^5. */
export const maxTensors = 1_000_000

/** The most sizes a shape may have. */
export const maxRank = 64

/**
 * Parses the JSON of a safetensors header by the format's own grammar and nothing more, so that memory is taken only
 * for tensors and metadata and no key can appear twice (JSON.parse keeps the last one silently). Throws INVALID_FILE.
 */
export function parseHeaderJson(text: string, file: string, limit: number = maxTensors): HeaderJson {
  const cursor = new Cursor(text, file)
  const entries: HeaderEntry[] = []
  const names = new Set<string>()
  let metadata: ReadonlyMap<string, string> = new Map()
  if (text.charCodeAt(0) !== 0x7b) cursor.fail('it does not begin with {')
  cursor.object((name) => {
    if (names.has(name)) cursor.fail(`the key ${quoted(name)} appears twice`)
    if (names.size >= limit) cursor.fail(`it lists more than ${limit} tensors`)
    names.add(name)
    if (name === '__metadata__') metadata = parseMetadata(cursor)
    else entries.push(parseEntry(cursor, name))
  })
  cursor.end()
  return { entries, metadata }
}

function parseMetadata(cursor: Cursor): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>()
  cursor.object((key) => {
    if (metadata.has(key)) cursor.fail(`__metadata__ has the key ${quoted(key)} twice`)
    if (key === '__proto__') cursor.fail('__metadata__ has the key "__proto__", which is refused')
    if (!cursor.at('"')) cursor.fail(`__metadata__ ${quoted(key)} is not a string`)
    metadata.set(key, cursor.string())
  }, '__metadata__')
  return metadata
}

function parseEntry(cursor: Cursor, name: string): HeaderEntry {
  if (name === '__proto__') cursor.fail('a tensor is named "__proto__", which is refused')
  const label = `tensor ${quoted(name)}`
  const seen = new Set<string>()
  let dtype = ''
  let shape: readonly number[] = []
  let offsets: readonly number[] = []
  cursor.object((field) => {
    if (seen.has(field)) cursor.fail(`${label} has the field ${quoted(field)} twice`)
    seen.add(field)
    if (field === 'dtype') {
      if (!cursor.at('"')) cursor.fail(`${label}: dtype is not a string`)
      dtype = cursor.string()
    } else if (field === 'shape') shape = cursor.integers(`${label}: shape`, maxRank)
    else if (field === 'data_offsets') offsets = cursor.integers(`${label}: data_offsets`, 2)
    else cursor.fail(`${label} has an unknown field ${quoted(field)}`)
  }, label)
  for (const field of ['dtype', 'shape', 'data_offsets']) {
    if (!seen.has(field)) cursor.fail(`${label} has no ${field}`)
  }
  if (offsets.length !== 2) cursor.fail(`${label}: data_offsets has ${offsets.length} numbers instead of 2`)
  return { name, dtype, shape, begin: offsets[0]!, end: offsets[1]! }
}

/** A place in the text; every method skips white space, reads one thing and moves behind it, or throws. */
class Cursor {
  private position = 0
  private readonly text: string
  private readonly file: string

  constructor(text: string, file: string) {
    this.text = text
    this.file = file
  }

  fail(problem: string): never {
    throw new AwqError(
      'INVALID_FILE',
      `${this.file}: bad safetensors header near character ${this.position}: ${problem}`,
    )
  }

  private skip(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.position)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      this.position++
    }
  }

  at(character: string): boolean {
    this.skip()
    return this.text[this.position] === character
  }

  private take(character: string): boolean {
    if (!this.at(character)) return false
    this.position++
    return true
  }

  end(): void {
    this.skip()
    if (this.position < this.text.length) this.fail('there is something behind its closing }')
  }

  object(member: (key: string) => void, label = 'the header'): void {
    if (!this.take('{')) this.fail(`${label} is not an object`)
    if (this.take('}')) return
    do {
      if (!this.at('"')) this.fail(`${label}: a key in quotes expected`)
      const key = this.string()
      if (!this.take(':')) this.fail(`${label}: a colon expected after ${quoted(key)}`)
      member(key)
    } while (this.take(','))
    if (!this.take('}')) this.fail(`${label}: , or } expected`)
  }

  /** The string at the opening quote. */
  string(): string {
    const start = this.position
    let escaped = false
    for (let i = start + 1; i < this.text.length; i++) {
      const code = this.text.charCodeAt(i)
      if (code === 0x5c) {
        escaped = true
        i++
      } else if (code === 0x22) {
        this.position = i + 1
        return escaped ? this.unescape(this.text.slice(start, i + 1)) : this.text.slice(start + 1, i)
      } else if (code < 0x20) this.fail('a control character within a string')
    }
    return this.fail('a string does not end')
  }

  private unescape(literal: string): string {
    try {
      return JSON.parse(literal) as string
    } catch {
      return this.fail('a string with a bad escape')
    }
  }

  /** An array of at most `limit` non-negative safe integers. */
  integers(label: string, limit: number): number[] {
    if (!this.take('[')) this.fail(`${label} is not an array`)
    const values: number[] = []
    if (this.take(']')) return values
    do {
      if (values.length === limit) this.fail(`${label} has more than ${limit} numbers`)
      values.push(this.integer(label))
    } while (this.take(','))
    if (!this.take(']')) this.fail(`${label}: , or ] expected`)
    return values
  }

  private integer(label: string): number {
    this.skip()
    // Forty characters are more than any number that can pass, so a long one costs nothing.
    const token = /^[^\s,\]}]*/.exec(this.text.slice(this.position, this.position + 40))![0]
    if (!/^(0|[1-9][0-9]*)$/.test(token)) this.fail(`${label}: ${quoted(token)} is not a non-negative integer`)
    const value = Number(token)
    if (!Number.isSafeInteger(value)) this.fail(`${label}: ${token} is too large`)
    this.position += token.length
    return value
  }
}
