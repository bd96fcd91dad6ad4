import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSha256, sha256 } from './sha256.ts'

test('of nothing and of "abc", as FIPS 180-4 has them', () => {
  expect(createSha256().digest()).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  const hash = createSha256()
  hash.update(new TextEncoder().encode('abc'))
  expect(hash.digest()).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})

test('of any bytes in any parts, as the platform computes it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 6 }), async (parts) => {
      const hash = createSha256()
      for (const part of parts) hash.update(part)
      const whole = Uint8Array.from(parts.flatMap((part) => [...part]))
      expect(hash.digest()).toBe(createHash('sha256').update(whole).digest('hex'))
      expect(await sha256(whole)).toBe(createHash('sha256').update(whole).digest('hex'))
    }),
  )
})
