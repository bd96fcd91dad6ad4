import { AwqError, type ByteSource, messageOf } from '@awq/tensor'
import { type ReadTextOptions, textLines } from './text-lines.ts'

/** One value of a JSONL file. */
export interface JsonRecord {
  readonly value: unknown
  /** File and line, for messages. */
  readonly where: string
}

/**
 * The values of a JSONL file, one per line that is not blank, read as a stream; the file may be packed by gzip.
 * @throws AwqError INVALID_FILE for a line that is not JSON (with its number) or bytes that are not text
 */
export async function* readJsonLines(source: ByteSource, options: ReadTextOptions = {}): AsyncGenerator<JsonRecord> {
  for await (const { number, text } of textLines(source, options)) {
    if (text.trim() === '') continue
    const where = `${source.name} line ${number}`
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (cause) {
      throw new AwqError('INVALID_FILE', `${where} is not valid JSON: ${messageOf(cause)}`, { cause })
    }
    yield { value, where }
  }
}
