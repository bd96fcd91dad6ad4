/**
 * SHA-256 in Node.
 * @module
 */
import { createHash } from 'node:crypto'
import type { Sha256 } from './sha256.ts'

const CHUNK_BYTES = 2 ** 22

export const sha256: Sha256 = async (source, { signal } = {}) => {
  const hash = createHash('sha256')
  for (let at = 0; at < source.size; at += CHUNK_BYTES) {
    signal?.throwIfAborted()
    hash.update(await source.read(at, Math.min(CHUNK_BYTES, source.size - at), { signal }))
  }
  return hash.digest('hex')
}
