import type { NativeFunction } from './native-types.ts'

/** Calls at once. koffi refuses the 257th, and each has a stack of its own; libuv's pool runs but a few of them anyway. */
const mostCalls = 128

/** What calls under way read and write: nothing else may refer to it until they end. */
const inUse = new Set<unknown>()
let underWay = 0
/** Calls that wait for the end of another, which hands its place on. */
const waiting: (() => void)[] = []

const callNow = <Parameters extends readonly unknown[], Result>(
  call: NativeFunction<Parameters, Result>,
  parameters: Parameters,
): Promise<Result> =>
  new Promise((resolve, reject) => {
    call.async(...parameters, (error, result) => {
      if (error) reject(error)
      else resolve(result)
    })
  })

/**
 * Runs a native function on a thread of libuv's pool, when there are not too many at it already.
 * @param kept what its arguments point to, which is referenced until the call has ended
 */
export const callAsync = async <Parameters extends readonly unknown[], Result>(
  call: NativeFunction<Parameters, Result>,
  kept: readonly unknown[],
  ...parameters: Parameters
): Promise<Result> => {
  inUse.add(kept)
  if (underWay < mostCalls) underWay += 1
  else await new Promise<void>((resolve) => waiting.push(resolve))
  try {
    return await callNow(call, parameters)
  } finally {
    inUse.delete(kept)
    const next = waiting.shift()
    if (next) next()
    else underWay -= 1
  }
}
