/**
 * SHA-256 in a browser, whose only hash takes all bytes at once.
 * @module
 */
import type { Sha256 } from './sha256.ts'

export const sha256: Sha256 = async (source, options) => {
  const bytes = await source.read(0, source.size, options)
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
