import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { AwqError } from '@awq/tensor'
import { ApiError } from './api-error.ts'

/**
 * A check of the header `Authorization: Bearer KEY` that takes as long whatever is sent: digests of equal length are
 * compared, with every key.
 * @throws AwqError INVALID_ARGUMENT for a key that no header can carry
 */
export const createKeyCheck = (keys: readonly string[]): ((authorization: string | null) => void) => {
  for (const key of keys) {
    if (!/^[\x21-\x7e]+$/.test(key)) {
      throw new AwqError('INVALID_ARGUMENT', 'An API key must be of visible ASCII characters without blanks.')
    }
  }
  const secret = randomBytes(32)
  const digest = (text: string): Buffer => createHmac('sha256', secret).update(text).digest()
  const known = keys.map(digest)
  return (authorization) => {
    if (known.length === 0) return
    const [, sent] = /^bearer +(\S+) *$/i.exec(authorization ?? '') ?? []
    if (sent === undefined) {
      throw unauthorized(
        'You did not provide an API key. Send it as a header: Authorization: Bearer YOUR_KEY.',
        'missing_api_key',
      )
    }
    const given = digest(sent)
    let matches = 0
    for (const key of known) matches |= Number(timingSafeEqual(key, given))
    if (matches === 0) throw unauthorized('Incorrect API key provided.', 'invalid_api_key')
  }
}

const unauthorized = (message: string, code: string): ApiError =>
  new ApiError(401, message, { code, headers: { 'www-authenticate': 'Bearer' } })
