/**
 * Lets an iteration and a promise of the result share one generator: events that `result` pulled wait for the
 * iteration, and steps never overlap. Nothing runs before either is asked for.
 */
export const sharedIteration = <T, R>(
  source: AsyncGenerator<T, void>,
  finish: () => R,
): AsyncIterable<T> & { readonly result: Promise<R> } => {
  const waiting: T[] = []
  let done = false
  let failure: { readonly reason: unknown } | undefined
  let step: Promise<void> | undefined
  let result: Promise<R> | undefined
  const advance = (): Promise<void> => {
    step ??= source
      .next()
      .then(
        (next) => {
          if (next.done) done = true
          else waiting.push(next.value)
        },
        (reason: unknown) => {
          done = true
          failure = { reason }
        },
      )
      .finally(() => {
        step = undefined
      })
    return step
  }
  const drain = async (): Promise<R> => {
    while (!done) await advance()
    if (failure) throw failure.reason
    return finish()
  }
  const iterator: AsyncIterator<T, undefined> = {
    async next() {
      while (waiting.length === 0 && !done) await advance()
      const value = waiting.shift()
      if (value !== undefined) return { done: false, value }
      if (failure) throw failure.reason
      return { done: true, value: undefined }
    },
    async return() {
      waiting.length = 0
      // A step in flight ends first; then the generator's own cleanup runs.
      await source.return()
      done = true
      return { done: true, value: undefined }
    },
  }
  return {
    [Symbol.asyncIterator]: () => iterator,
    get result() {
      if (!result) {
        result = drain()
        // Whoever iterates sees the failure there; it must not also count as unhandled here.
        result.catch(() => {})
      }
      return result
    },
  }
}
