/** `error.type` of OpenAI's API. */
export type ApiErrorType = 'invalid_request_error' | 'permission_error' | 'rate_limit_error' | 'server_error'

/** What an error says to a client besides its message and its status. */
export interface ApiErrorDetails {
  readonly type?: ApiErrorType
  /** The parameter at fault, as a path: `messages[0].content`. */
  readonly param?: string | null
  /** A word for programs, such as `context_length_exceeded`. */
  readonly code?: string | null
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** An error that is meant for the client: everything in it is shown. Anything else that is thrown becomes a 500 without details. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly type: ApiErrorType
  readonly param: string | null
  readonly code: string | null
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, message: string, details: ApiErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.status = status
    this.type = details.type ?? (status >= 500 ? 'server_error' : 'invalid_request_error')
    this.param = details.param ?? null
    this.code = details.code ?? null
    this.headers = details.headers ?? {}
  }
}

/** A 400 about one parameter. */
export const badParameter = (param: string, message: string, code: string | null = 'invalid_value'): ApiError =>
  new ApiError(400, message, { param, code })

/** The error as OpenAI's API writes it. */
export const errorBody = ({ message, type, param, code }: ApiError) => ({ error: { message, type, param, code } })

/** The error as a response. */
export const errorResponse = (error: ApiError): Response =>
  new Response(JSON.stringify(errorBody(error)), {
    status: error.status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...error.headers },
  })
