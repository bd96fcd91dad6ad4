import { AwqError, messageOf } from './error.ts'

/** JSON from a file; `name` is what messages call the file. Throws INVALID_FILE when `text` is not JSON. */
export function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new AwqError('INVALID_FILE', `${name} is not JSON: ${messageOf(cause)}`, { cause })
  }
}
