import { AwqError } from './error.ts'

/** Who asked the hub for what. */
export interface HubQuestion {
  readonly hubUrl: string
  readonly revision: string
  readonly token: string | undefined
  /** How a token is given here: `HF_TOKEN`. */
  readonly tokenSource: string
}

/** The error for a status that is not 2xx. `what` is the repository, or a file of it. */
export function hubStatusError(status: number, what: string, question: HubQuestion, cause?: unknown): AwqError {
  const { hubUrl, revision, token, tokenSource } = question
  const options = cause === undefined ? {} : { cause }
  switch (status) {
    case 401:
      // The hub does not tell a stranger whether a repository is private or missing.
      return token === undefined
        ? new AwqError(
            'NOT_FOUND',
            `${what} is not on ${hubUrl}, or is private: check the name, or set ${tokenSource}`,
            options,
          )
        : new AwqError('NETWORK', `${what}: ${hubUrl} does not accept the access token (${tokenSource})`, options)
    case 403:
      return new AwqError(
        'NETWORK',
        `${what} is gated: accept its terms on ${hubUrl} and set ${tokenSource} to a token of that account`,
        options,
      )
    case 404:
      return new AwqError('NOT_FOUND', `${what} is not on ${hubUrl} (revision ${revision}): check the name`, options)
    default:
      return new AwqError('NETWORK', `${what}: ${hubUrl} answered ${status}; try again later`, options)
  }
}
