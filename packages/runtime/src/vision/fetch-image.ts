/**
 * Images at addresses, for pages: what a page may fetch is up to its browser and its content security policy.
 * @module
 */
import { decodeImage } from '@awq/image'
import { AwqError, messageOf, quoted } from '@awq/tensor'
import type { ImageReader } from './image-source.ts'

const maxBytes = 2 ** 26

/**
 * Fetches an image; addresses may be relative to the page.
 * @throws AwqError NETWORK where there is no answer, NOT_FOUND for one of another status than 200, UNSUPPORTED for more than 64 MiB; as
 *   `decodeImage`
 */
export const fetchImage: ImageReader = async (address, { signal }) => {
  const failed = (cause: unknown): never => {
    if (signal?.aborted) throw signal.reason
    const reason = `the image ${quoted(address)} can not be fetched: ${messageOf(cause)}`
    throw new AwqError('NETWORK', `${reason}. Its server must allow it to this page (CORS); or give its bytes`, {
      cause,
    })
  }
  const response = await fetch(address, { signal: signal ?? null }).catch(failed)
  const tooLarge = (bytes: number): void => {
    if (bytes > maxBytes)
      throw new AwqError('UNSUPPORTED', `the image ${quoted(address)} has ${bytes} bytes, more than ${maxBytes}`)
  }
  if (!response.ok)
    throw new AwqError('NOT_FOUND', `the image ${quoted(address)}: its server answers ${response.status}`)
  tooLarge(Number(response.headers.get('content-length') ?? 0))
  const blob = await response.blob().catch(failed)
  tooLarge(blob.size)
  return decodeImage(new Uint8Array(await blob.arrayBuffer()), { name: quoted(address), signal })
}
