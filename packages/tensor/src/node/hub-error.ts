import { HubApiError } from '@huggingface/hub'
import { AwqError, messageOf } from '../error.ts'
import { hubStatusError } from '../hub-status.ts'
import type { HubSettings } from './hub-settings.ts'

/** The AwqError for what failed between us and the hub. `what` is the repository, or a file of it. */
export function hubError(error: unknown, what: string, settings: HubSettings): AwqError {
  if (AwqError.is(error)) return error
  if (error instanceof HubApiError)
    return hubStatusError(error.statusCode, what, { ...settings, tokenSource: 'HF_TOKEN' }, error)
  const fault = rootCause(error)
  const advice = 'check the connection (or HF_ENDPOINT), or give a local folder'
  return new AwqError('NETWORK', `${what}: ${settings.hubUrl} cannot be reached: ${fault}; ${advice}`, { cause: error })
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
