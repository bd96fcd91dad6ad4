import { AwqError } from '@awq/tensor'
import { releaseSessions } from './cached-session.ts'
import type { Engine } from './types.ts'

/** How long an engine lives: what its sessions share is freed when it and all of them are disposed. */
export interface EngineLife {
  /** Throws `INVALID_ARGUMENT` when the engine has been disposed. */
  check(): void
  /** Counts a session that is being made. */
  began(): void
  /** A session has ended, or could not be made. */
  ended(): void
  /** Disposes the engine and its cached sessions; a second call does nothing. */
  dispose(engine: Engine): Promise<void>
}

/** @param free frees what the sessions share; called once */
export function engineLife(free: () => void): EngineLife {
  let disposed = false
  let freed = false
  let sessions = 0
  /** Sessions outlive their engine when they are not disposed before it: the last one frees. */
  const freeWhenUnused = (): void => {
    if (!disposed || freed || sessions > 0) return
    freed = true
    free()
  }
  return {
    check() {
      if (disposed) throw new AwqError('INVALID_ARGUMENT', 'the engine has been disposed')
    },
    began() {
      sessions += 1
    },
    ended() {
      sessions -= 1
      freeWhenUnused()
    },
    async dispose(engine) {
      if (disposed) return
      disposed = true
      await releaseSessions(engine)
      freeWhenUnused()
    },
  }
}
