import { AwqError, messageOf } from '@awq/tensor'

/** Whether something that cannot be mended still works. */
export interface Health {
  /** Why it does not. */
  readonly failure: AwqError | undefined
  /** Ends it; what was first wrong stays the reason. */
  end(failure: AwqError): void
  /** Throws the failure. */
  check(): void
  /** The work's outcome, or the failure as soon as there is one: the work may then never end. */
  guard<T>(work: T | Promise<T>): Promise<T>
}

export function createHealth(): Health {
  let failure: AwqError | undefined
  let reject: (failure: AwqError) => void = () => {}
  const ended = new Promise<never>((_, no) => {
    reject = no
  })
  ended.catch(() => {})
  return {
    get failure() {
      return failure
    },
    end(error) {
      failure ??= error
      reject(failure)
    },
    check() {
      if (failure) throw failure
    },
    async guard(work) {
      return work instanceof Promise ? Promise.race([work, ended]) : work
    },
  }
}

/** The error of a module whose code has failed by itself, not by a status: its memory may hold anything. */
export const crashed = (cause: unknown): AwqError =>
  new AwqError(
    'ENGINE',
    `onnxruntime-web has crashed (${messageOf(cause)}): nothing of this engine works any more. Make another engine; where ` +
      'it was memory that was missing, with a smaller model or a shorter context',
    { cause },
  )
