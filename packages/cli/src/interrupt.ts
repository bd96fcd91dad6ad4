import { AwqError } from '@awq/tensor'
import type { Context } from './context.ts'
import type { Reporter } from './reporter.ts'

/** Why a command's signal was aborted. */
export type AbortCause = 'interrupt' | 'closed-stdout'

/** The reason of an abort that the user or the reader of stdout asked for. */
export class Interrupted extends Error {
  override readonly name = 'AbortError'
  readonly origin: AbortCause
  constructor(origin: AbortCause) {
    super(origin === 'interrupt' ? 'interrupted' : 'the reader of stdout has gone')
    this.origin = origin
  }
}

/** A running command's signal, and what aborts it. */
export interface Interruption {
  readonly signal: AbortSignal
  /** Undefined while nobody asked for an abort. */
  readonly cause: () => AbortCause | undefined
  /**
   * Takes SIGINT over from now on (a chat stops its answer with the first and ends with the second), and SIGTERM too with
   * `terminate` (a server lets its requests end); returns the function that gives them back.
   */
  readonly takeOver: (handler: () => void, options?: { readonly terminate?: boolean }) => () => void
  /** The error of writing to stdout (a full disk behind it), if one came. */
  readonly failure: () => AwqError | undefined
  /** Aborts as an interrupt does, without announcing it. */
  readonly abort: () => void
  readonly dispose: () => void
}

const ignore = (): void => {}

/**
 * The first interrupt aborts the signal, and the command cleans up; the second ends the process at once. A reader
 * that leaves (`awq ... | head`) aborts too when `stopsWithoutReader`, else output is dropped from then on.
 */
export const createInterruption = (context: Context, reporter: Reporter, stopsWithoutReader: boolean): Interruption => {
  const controller = new AbortController()
  let cause: AbortCause | undefined
  let failure: AwqError | undefined
  let handler: (() => void) | undefined
  let terminates = false
  const abort = (origin: AbortCause): void => {
    cause ??= origin
    controller.abort(new Interrupted(cause))
  }
  const interrupt = (): void => {
    if (cause === 'interrupt') {
      context.exit(130)
      return
    }
    reporter.complain('awq: stopping… (Ctrl-C again ends it at once)')
    abort('interrupt')
  }
  const removeListener = context.onInterrupt((signal) => {
    if (handler && (signal === 'SIGINT' || terminates)) handler()
    else interrupt()
  })
  const onOutputError = (error: NodeJS.ErrnoException): void => {
    if (error.code === 'EPIPE') {
      if (stopsWithoutReader) abort('closed-stdout')
      return
    }
    failure ??= new AwqError('IO', `cannot write to stdout: ${error.message}`, { cause: error })
    controller.abort(failure)
  }
  // Once on each stream, for good: a late EPIPE must not crash the process, nor a script that runs many commands pile them up.
  for (const stream of [context.stdout, context.stderr])
    if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore)
  context.stdout.on('error', onOutputError)
  return {
    signal: controller.signal,
    cause: () => cause,
    failure: () => failure,
    takeOver: (next, { terminate = false } = {}) => {
      handler = next
      terminates = terminate
      return () => {
        handler = undefined
      }
    },
    abort: () => abort('interrupt'),
    dispose: () => {
      removeListener()
      context.stdout.off('error', onOutputError)
    },
  }
}
