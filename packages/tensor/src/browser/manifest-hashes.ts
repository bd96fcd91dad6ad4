import type { Folder } from '../folder.ts'

/** SHA-256 by file name, as 64 hexadecimal digits. */
export type FileHashes = Readonly<Record<string, string>>

/** A folder that knows what its files must be. */
export interface HashedFolder extends Folder {
  readonly hashes?: FileHashes
}

const isHash = (value: unknown): value is string => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)

/** The hashes that the manifest of a quantized model has; none where it has none, or is none. */
export const manifestHashes = (text: string): FileHashes => {
  let manifest: unknown
  try {
    manifest = JSON.parse(text)
  } catch {
    return {}
  }
  const hashes = typeof manifest === 'object' && manifest !== null && 'hashes' in manifest ? manifest.hashes : undefined
  if (typeof hashes !== 'object' || hashes === null) return {}
  return Object.fromEntries(Object.entries(hashes).filter((entry): entry is [string, string] => isHash(entry[1])))
}
