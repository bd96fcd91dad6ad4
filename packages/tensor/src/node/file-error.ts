import { AwqError, messageOf } from '../error.ts'

const explanations: Record<string, string> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist: a part of the path is a file',
  EACCES: 'cannot be accessed: permission denied',
  EPERM: 'cannot be accessed: not permitted',
  EISDIR: 'is a folder',
  ENOSPC: 'cannot be written: the disk is full',
  EDQUOT: 'cannot be written: the disk quota is used up',
  EROFS: 'cannot be written: the file system is read-only',
  EMFILE: 'cannot be opened: too many open files',
  ELOOP: 'cannot be opened: too many symbolic links',
}

/** The AwqError for what the system said about a path: NOT_FOUND when it is not there, else IO. */
export function fileError(path: string, error: unknown): AwqError {
  if (AwqError.is(error)) return error
  const code = (error as { code?: unknown } | null)?.code
  const explanation = typeof code === 'string' ? explanations[code] : undefined
  const missing = code === 'ENOENT' || code === 'ENOTDIR'
  return new AwqError(missing ? 'NOT_FOUND' : 'IO', `${path} ${explanation ?? `failed: ${messageOf(error)}`}`, {
    cause: error,
  })
}
