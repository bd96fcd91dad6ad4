/**
 * SHA-256 in a browser.
 * @module
 */
import { createSha256, sha256 as sha256Of } from '@awq/tensor/browser'
import type { Sha256 } from './sha256.ts'

/** The browser's own hash is faster, and takes all bytes at once: files up to this size. */
const WHOLE = 2 ** 27
const CHUNK = 2 ** 22

export const sha256: Sha256 = async (source, options) => {
  if (source.size <= WHOLE) return await sha256Of(await source.read(0, source.size, options))
  const hash = createSha256()
  for (let at = 0; at < source.size; at += CHUNK)
    hash.update(await source.read(at, Math.min(CHUNK, source.size - at), options))
  return hash.digest()
}
