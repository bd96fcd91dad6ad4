import type { PreparedRun } from './prepared-run.ts'

/** Milliseconds that a run may keep the calling thread. */
const short = 10

/**
 * Starts the runs of a loop where they cost least: after a run of less than `short` milliseconds the next one stays on the
 * calling thread, and the event loop turns once after it; longer ones go to another thread. Handing a run of five
 * milliseconds over takes a fifth of it where ONNX Runtime's threads, which wait by spinning, hold all cores.
 */
export function startWhereShort({ start, runHere }: PreparedRun): PreparedRun['start'] {
  let last = Number.POSITIVE_INFINITY
  return async (session, options) => {
    const stays = last < short
    const began = performance.now()
    const status = stays ? runHere(session, options) : await start(session, options)
    last = performance.now() - began
    if (stays) await new Promise<void>((resolve) => setImmediate(resolve))
    return status
  }
}
