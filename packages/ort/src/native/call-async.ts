import type { NativeFunction } from './native-types.ts'

/** What calls under way read and write: nothing else may refer to it until they end. */
const inUse = new Set<unknown>()

/**
 * Runs a native function on a thread of libuv's pool.
 * @param kept what its arguments point to, which is referenced until the call has ended
 */
export const callAsync = <Parameters extends readonly unknown[], Result>(
  call: NativeFunction<Parameters, Result>,
  kept: readonly unknown[],
  ...parameters: Parameters
): Promise<Result> =>
  new Promise((resolve, reject) => {
    inUse.add(kept)
    try {
      call.async(...parameters, (error, result) => {
        inUse.delete(kept)
        if (error) reject(error)
        else resolve(result)
      })
    } catch (error) {
      inUse.delete(kept)
      throw error
    }
  })
