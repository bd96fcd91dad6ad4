import { AwqError } from '@awq/tensor'

/** An error as the last event of `--json` and as the one line on stderr. */
export interface ErrorDescription {
  /** The AwqError code, `USAGE`, `INTERRUPTED`, `MEMORY`, or `INTERNAL` for what nobody foresaw. */
  readonly code: string
  readonly message: string
}

interface SystemError extends Error {
  readonly code: string
  readonly path?: string
}

/** What to do about an error of the operating system, by its code. */
const systemErrors: Readonly<Record<string, readonly [code: string, text: (at: string) => string]>> = {
  ENOSPC: ['IO', (at) => `no space left on the disk${at}: free some, then run the same command again with --resume`],
  EDQUOT: ['IO', (at) => `the disk quota is used up${at}: free some, then run the same command again with --resume`],
  EACCES: ['IO', (at) => `permission denied${at}`],
  EPERM: ['IO', (at) => `operation not permitted${at}`],
  EROFS: ['IO', (at) => `the file system is read-only${at}`],
  ENOENT: ['NOT_FOUND', (at) => `no such file or folder${at}`],
  ENOTDIR: ['NOT_FOUND', (at) => `a part of the path is not a folder${at}`],
  EISDIR: ['INVALID_ARGUMENT', (at) => `a folder stands where a file is needed${at}`],
  EMFILE: ['IO', () => 'too many open files: raise the limit (ulimit -n)'],
  ENOMEM: ['MEMORY', () => 'not enough memory'],
  ECONNREFUSED: ['NETWORK', (at) => `the server refuses the connection${at}`],
  ECONNRESET: ['NETWORK', (at) => `the server closed the connection${at}`],
  ENOTFOUND: ['NETWORK', (at) => `the host's name is not known${at}: is this machine connected?`],
  ETIMEDOUT: ['NETWORK', (at) => `the server does not answer${at}`],
}

/** The error and its causes, outermost first; at most ten. */
const causes = (error: unknown): unknown[] => {
  const chain: unknown[] = []
  for (let current = error; current !== undefined && current !== null && chain.length < 10; ) {
    chain.push(current)
    current = current instanceof Error ? current.cause : undefined
  }
  return chain
}

const isSystemError = (error: unknown): error is SystemError =>
  error instanceof Error &&
  typeof (error as { code?: unknown }).code === 'string' &&
  (error as SystemError).code in systemErrors

/** In one line, without what a terminal would obey: names in messages come from files that anyone may have written. */
const oneLine = (text: string): string =>
  text
    .replace(/\s*\n\s*/g, ' ')
    .replace(/[\p{Cc}\p{Bidi_Control}]/gu, '\u{fffd}')
    .trim()

/**
 * What went wrong, in one line that a user can act on, with a code for programs. Foreseen errors (AwqError) speak for
 * themselves, except that a full disk is named whatever stands around it; errors of the operating system are
 * translated; everything else is `INTERNAL` and points to `--debug`.
 */
export const describeError = (error: unknown): ErrorDescription => {
  const chain = causes(error)
  const system = chain.find(isSystemError)
  const known = chain.find((link): link is AwqError => AwqError.is(link))
  const full = system && (system.code === 'ENOSPC' || system.code === 'EDQUOT') ? system : undefined
  if (known && !(full && !/space|quota/i.test(known.message)))
    return { code: known.code, message: oneLine(known.message) }
  if (system) {
    const [code, text] = systemErrors[system.code] ?? ['IO', () => system.message]
    return { code, message: oneLine(text(system.path ? ` (${system.path})` : '')) }
  }
  const message = oneLine(error instanceof Error ? error.message : String(error))
  if (error instanceof RangeError && /allocation failed|invalid (typed )?array length|string length/i.test(message)) {
    return { code: 'MEMORY', message: `not enough memory: ${message}` }
  }
  return {
    code: 'INTERNAL',
    message: `${message || 'unknown error'} (not foreseen; --debug prints where it came from)`,
  }
}
