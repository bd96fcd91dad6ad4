/** Something that went wrong, in words for the person at the page. */
export interface Failure {
  readonly kind: 'key' | 'busy' | 'length' | 'refused' | 'server' | 'unreachable' | 'broken'
  readonly title: string
  /** What the server said, or what to do. */
  readonly detail: string
}

/** An answer of the server that is no success. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure'
  readonly status: number
  readonly code: string | undefined
  readonly param: string | undefined
  readonly retryAfter: number | undefined

  constructor(
    status: number,
    message: string,
    details: { code?: unknown; param?: unknown; retryAfter?: number | undefined } = {},
  ) {
    super(message)
    this.status = status
    this.code = typeof details.code === 'string' ? details.code : undefined
    this.param = typeof details.param === 'string' ? details.param : undefined
    this.retryAfter = details.retryAfter
  }
}

/** The stream ended before the answer did. */
export class BrokenStream extends Error {
  override readonly name = 'BrokenStream'
}

/** The failure that an error body of OpenAI's shape tells, whatever it is. */
export const apiFailure = (status: number, body: unknown, retryAfter?: string | null): ApiFailure => {
  const error = (body as { error?: Record<string, unknown> | null } | null | undefined)?.error
  const message = typeof error?.message === 'string' ? error.message : ''
  const seconds = Number(retryAfter ?? '')
  return new ApiFailure(status, message, {
    code: error?.code,
    param: error?.param,
    retryAfter: retryAfter && seconds >= 0 ? Math.ceil(seconds) : undefined,
  })
}

const ofStatus = (error: ApiFailure): Failure => {
  const { status, code, message, retryAfter } = error
  if (status === 401) {
    const wrong = code === 'invalid_api_key'
    return {
      kind: 'key',
      title: wrong ? 'The server does not know this key.' : 'This server asks for a key.',
      detail: wrong ? 'Enter another one.' : 'Whoever runs it can tell you one.',
    }
  }
  if (code === 'context_length_exceeded') {
    return {
      kind: 'length',
      title: 'The conversation is longer than the model can read.',
      detail: `${message} Start a new conversation, or shorten the question.`.trim(),
    }
  }
  if (status === 429) {
    const wait =
      retryAfter === undefined ? 'in a moment' : `in ${retryAfter === 1 ? 'a second' : `${retryAfter} seconds`}`
    return { kind: 'busy', title: 'The server is busy with other questions.', detail: `Try again ${wait}.` }
  }
  if (status === 503)
    return { kind: 'busy', title: 'The server is being stopped.', detail: 'Try again when it runs again.' }
  if (status === 504)
    return { kind: 'server', title: 'The answer took longer than the server allows.', detail: message }
  if (status >= 500)
    return { kind: 'server', title: 'The server failed.', detail: message || `It answered with status ${status}.` }
  return {
    kind: 'refused',
    title: 'The server did not take the question.',
    detail: message || `It answered with status ${status}.`,
  }
}

/** Any error in words. */
export const failureOf = (error: unknown): Failure => {
  if (error instanceof ApiFailure) return ofStatus(error)
  if (error instanceof BrokenStream) {
    return {
      kind: 'broken',
      title: 'The connection broke off before the answer was complete.',
      detail: 'What has come so far is kept. Try again for a whole answer.',
    }
  }
  return { kind: 'unreachable', title: 'The server cannot be reached.', detail: 'Does it still run? Then try again.' }
}
