import { AwqError } from '@awq/tensor'
import { ApiError } from './api-error.ts'

/** Clients of OpenAI's API repeat what fails with 429 and 5xx, unless this header says that it would be in vain. */
const inVain = { 'x-should-retry': 'false' }

/** What a client is told of an error that is not about its request: nothing of what happened, which is in the log. */
const internalError = (cause: unknown): ApiError =>
  new ApiError(500, 'The server had an error while processing your request.', { code: 'internal_error', cause })

/** More is asked for than the queue takes. */
export const busy = (retryAfterSeconds: number, cause?: unknown): ApiError =>
  new ApiError(429, 'The server is at capacity. Retry after the seconds that Retry-After gives.', {
    type: 'rate_limit_error',
    code: 'rate_limit_exceeded',
    headers: { 'retry-after': String(retryAfterSeconds) },
    cause,
  })

/** The server is being stopped. */
export const shuttingDown = (): ApiError =>
  new ApiError(503, 'The server is shutting down.', {
    code: 'shutting_down',
    headers: { 'retry-after': '5', connection: 'close' },
  })

/** The request took longer than the server allows. */
export const timedOut = (seconds: number): ApiError =>
  new ApiError(504, `The request took longer than the ${seconds} seconds that this server allows.`, {
    code: 'timeout',
    headers: inVain,
  })

/**
 * Any failure as what a client may see. `BUSY` is 429; a message of ours for other reasons may name files of this machine
 * and what it is about was checked before, so it is a 500 without details.
 */
export const toApiError = (error: unknown, retryAfterSeconds = 1): ApiError => {
  if (error instanceof ApiError) return error
  if (AwqError.is(error) && error.code === 'BUSY') return busy(retryAfterSeconds, error)
  return internalError(error)
}
