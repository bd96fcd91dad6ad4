import { AwqError, messageOf, readableBytes } from '@awq/tensor'

const explanations: Readonly<Record<string, string>> = {
  EDQUOT: 'the disk quota is used up',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  EFBIG: 'the file system allows no file of this size',
  ENOENT: 'the folder does not exist',
  ENOTDIR: 'it is not a folder',
}

/** The error for a full disk: how much is needed, how much there is. */
export function diskFull(directory: string, needed: number, free: number | undefined, cause?: unknown): AwqError {
  const available = free === undefined ? '' : `, ${readableBytes(free)} are free`
  return new AwqError(
    'IO',
    `${directory}: not enough space on the disk: ${readableBytes(needed)} are needed${available}; ` +
      'make room or choose another folder',
    { cause },
  )
}

/** An IO error for what the system said about a path. */
export function diskError(path: string, cause: unknown): AwqError {
  const code = (cause as { code?: unknown } | null)?.code
  const reason = typeof code === 'string' ? explanations[code] : undefined
  return new AwqError('IO', `${path} cannot be written: ${reason ?? messageOf(cause)}`, { cause })
}
