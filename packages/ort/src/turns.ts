/** A queue of tasks that must not overlap. */
export interface Turns {
  /** Runs `task` after the ones before it; at once when there are none. */
  take<T>(task: () => T | Promise<T>): Promise<T>
}

/** An empty queue. */
export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0
  return {
    async take(task) {
      waiting += 1
      const run = waiting === 1 ? (async () => task())() : last.then(task)
      last = run.then(
        () => undefined,
        () => undefined,
      )
      try {
        return await run
      } finally {
        waiting -= 1
      }
    },
  }
}
