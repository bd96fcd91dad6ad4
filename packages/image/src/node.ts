import { readFile, stat } from 'node:fs/promises'
import { AwqError, messageOf } from '@awq/tensor'
import { type DecodeOptions, decodeImage } from './decode.ts'
import type { RgbImage } from './types.ts'

const defaultMaxBytes = 2 ** 28

/**
 * The pixels of an image on disk: `decodeImage` of its bytes. Throws NOT_FOUND when there is no such file, UNSUPPORTED when it has more than
 * `maxBytes` (default 256 MiB), IO when it cannot be read.
 */
export async function readImage(
  path: string,
  options: DecodeOptions & { readonly maxBytes?: number } = {},
): Promise<RgbImage> {
  const { maxBytes = defaultMaxBytes, name = path } = options
  const failed = (cause: unknown): AwqError => {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    return missing
      ? new AwqError('NOT_FOUND', `there is no image ${path}`, { cause })
      : new AwqError('IO', `${path} cannot be read: ${messageOf(cause)}`, { cause })
  }
  const found = await stat(path).catch((cause) => Promise.reject(failed(cause)))
  if (!found.isFile()) throw new AwqError('INVALID_ARGUMENT', `${path} is not a file`)
  if (found.size > maxBytes) {
    throw new AwqError(
      'UNSUPPORTED',
      `${path} has ${found.size} bytes, more than the ${maxBytes} that an image may have`,
    )
  }
  const bytes = await readFile(path, { signal: options.signal }).catch((cause) => {
    if (options.signal?.aborted) throw options.signal.reason
    throw failed(cause)
  })
  return decodeImage(bytes, { ...options, name })
}
