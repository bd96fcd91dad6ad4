import { HubApiError } from '@huggingface/hub'
import { AwqError, messageOf } from '../error.ts'
import type { HubSettings } from './hub-settings.ts'

/** The AwqError for what failed between us and the hub. `what` is the repository, or a file of it. */
export function hubError(error: unknown, what: string, settings: HubSettings): AwqError {
  if (AwqError.is(error)) return error
  if (error instanceof HubApiError) return statusError(error, what, settings)
  const fault = rootCause(error)
  const advice = 'check the connection (or HF_ENDPOINT), or give a local folder'
  return new AwqError('NETWORK', `${what}: ${settings.hubUrl} cannot be reached: ${fault}; ${advice}`, { cause: error })
}

function statusError(error: HubApiError, what: string, { token, hubUrl, revision }: HubSettings): AwqError {
  const options = { cause: error }
  switch (error.statusCode) {
    case 401:
      // The hub does not tell a stranger whether a repository is private or missing.
      return token === undefined
        ? new AwqError(
            'NOT_FOUND',
            `${what} is not on ${hubUrl}, or is private: check the name, or set HF_TOKEN`,
            options,
          )
        : new AwqError('NETWORK', `${what}: ${hubUrl} does not accept the access token (HF_TOKEN)`, options)
    case 403:
      return new AwqError(
        'NETWORK',
        `${what} is gated: accept its terms on ${hubUrl} and set HF_TOKEN to a token of that account`,
        options,
      )
    case 404:
      return new AwqError('NOT_FOUND', `${what} is not on ${hubUrl} (revision ${revision}): check the name`, options)
    default:
      return new AwqError('NETWORK', `${what}: ${hubUrl} answered ${error.statusCode}; try again later`, options)
  }
}

/** fetch only says "fetch failed"; what happened stands in its causes. */
function rootCause(error: unknown): string {
  let cause = error
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause
  const code = (cause as { code?: unknown } | null)?.code
  return messageOf(cause) || (typeof code === 'string' ? code : 'no answer')
}

/** Whether trying again may help: everything but a clear answer. */
export function isTransient(error: unknown): boolean {
  if (AwqError.is(error)) return false
  return !(error instanceof HubApiError) || error.statusCode === 429 || error.statusCode >= 500
}
