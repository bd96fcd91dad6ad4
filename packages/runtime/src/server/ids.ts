import { randomBytes } from 'node:crypto'

/** A new id: the prefix and 24 random letters and digits of base64url without its two signs. */
export const newId = (prefix: string): string =>
  prefix + randomBytes(24).toString('base64url').replaceAll(/[-_]/g, 'x').slice(0, 24)

/** Seconds since 1970. */
export const unixSeconds = (): number => Math.floor(Date.now() / 1000)
