/**
 * What a browser's file systems say, in words that help.
 * @module
 */
import { AwqError, messageOf } from '../error.ts'
import { readableBytes } from '../readable-bytes.ts'

/** Names of the exceptions that say what is wrong; others speak for themselves. */
const explanations: Readonly<Record<string, string>> = {
  NoModificationAllowedError: 'another tab has it open; close that one, or wait until it is done',
  NotAllowedError:
    'the permission was not given, or has ended: call handle.requestPermission() when the user clicks, or choose the folder again',
  NotFoundError: 'it does not exist any more',
  TypeMismatchError: 'a folder stands where a file should be, or a file where a folder should',
}

/** Bytes that this origin may still store; undefined where the browser does not say. */
export const freeStorage = async (): Promise<number | undefined> => {
  try {
    const { quota, usage } = await navigator.storage.estimate()
    return quota === undefined || usage === undefined ? undefined : Math.max(0, quota - usage)
  } catch {
    return undefined
  }
}

/** The error for storage that is full: how much is needed, how much there is. */
export const storageFull = (name: string, needed: number | undefined, free: number | undefined, cause?: unknown) => {
  const figures = [
    ...(needed === undefined ? [] : [`${readableBytes(needed)} are needed`]),
    ...(free === undefined ? [] : [`${readableBytes(free)} are free`]),
  ]
  return new AwqError(
    'IO',
    `${name}: the browser's storage for this site is full${figures.length > 0 ? ` (${figures.join(', ')})` : ''}; ` +
      'remove models that are not needed any more, or make room on the disk, then go on',
    { cause },
  )
}

/** What the browser said about a file or folder: NOT_FOUND where it is gone, IO otherwise. */
export const storageError = async (name: string, cause: unknown): Promise<AwqError> => {
  const kind = (cause as { name?: unknown } | null)?.name
  if (kind === 'QuotaExceededError') return storageFull(name, undefined, await freeStorage(), cause)
  const reason = typeof kind === 'string' ? explanations[kind] : undefined
  const code = kind === 'NotFoundError' ? 'NOT_FOUND' : 'IO'
  return new AwqError(code, `${name}: ${reason ?? messageOf(cause)}`, { cause })
}

/** Runs an operation on storage; its failure names the file and says what to do. */
export const onStorage = async <T>(name: string, operation: () => T | Promise<T>): Promise<T> => {
  try {
    return await operation()
  } catch (cause) {
    throw AwqError.is(cause) ? cause : await storageError(name, cause)
  }
}
