/** The kinds of failure a caller can act on; every error thrown on purpose by an `@awq/*` package carries one. */
export type AwqErrorCode =
  | 'INVALID_ARGUMENT'
  | 'INVALID_FILE'
  | 'NOT_FOUND'
  | 'UNSUPPORTED'
  | 'IO'
  | 'NETWORK'
  | 'ENGINE'
  | 'NUMERIC'
  | 'EXISTS'
  | 'CONFIG'
  | 'BUSY'

/** Registered globally, so that `AwqError.is` also knows errors of a second copy of this package. */
const marker: unique symbol = Symbol.for('@awq/tensor/AwqError')

/**
 * The error of every `@awq/*` package. `code` says what kind of failure it is, `message` names the file, tensor or
 * shape and says what to do, `cause` is the underlying error when there is one.
 */
export class AwqError extends Error {
  override readonly name = 'AwqError'
  readonly code: AwqErrorCode
  readonly [marker] = true

  constructor(code: AwqErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }

  /** Whether `value` is an AwqError, also one made by another copy or version of this package. */
  static is(value: unknown): value is AwqError {
    return typeof value === 'object' && value !== null && (value as { [marker]?: unknown })[marker] === true
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Text from a file made safe for an error message: quoted, control characters escaped, cut at 120 characters. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 119)}…` : text)
}
