/**
 * One tab at a time.
 * @module
 */
import { AwqError } from '@awq/tensor'

/** What a tab that was just closed holds is free a moment later, in milliseconds. */
const PATIENCE = 3000

/**
 * Takes a lock that all tabs and Workers of this origin share; it ends with its Worker too.
 * @returns a function that gives it back
 * @throws AwqError EXISTS when another one keeps it
 */
export const takeLock = (lock: string, name: string): Promise<() => void> =>
  new Promise((resolve, reject) => {
    const held = () => new Promise<void>((release) => resolve(release))
    navigator.locks
      .request(lock, { signal: AbortSignal.timeout(PATIENCE) }, held)
      .catch((cause: unknown) =>
        reject(new AwqError('EXISTS', `${name}: another tab or Worker is writing there; close it, or wait`, { cause })),
      )
  })
