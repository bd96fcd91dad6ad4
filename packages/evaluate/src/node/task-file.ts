import { fileSource } from '@awq/tensor/node'
import { type JsonRecord, readJsonLines } from '@awq/text'

/**
 * The records of a task's file: JSONL, plain or packed by gzip. The file is closed when reading ends.
 * @throws AwqError NOT_FOUND without the file, INVALID_FILE for a line that is not JSON; rejects with `signal.reason`
 */
export async function* openTaskFile(
  path: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<JsonRecord> {
  const source = await fileSource(path)
  try {
    yield* readJsonLines(source, options)
  } finally {
    await source.close?.()
  }
}
