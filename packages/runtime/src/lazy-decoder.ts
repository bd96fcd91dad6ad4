import type { Session } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import type { DecoderRequest, OpenedModel } from './open-model.ts'

/** A decoder's session that is loaded when first asked for and shared from then on. */
export interface LazyDecoder {
  /** @throws AwqError INVALID_ARGUMENT once it is disposed */
  session(signal?: AbortSignal): Promise<Session>
  dispose(): Promise<void>
}

/** The decoder of a model; nothing is loaded yet. */
export const createLazyDecoder = (model: OpenedModel, request: Omit<DecoderRequest, 'signal'>): LazyDecoder => {
  let opened: Promise<Session> | undefined
  let disposed = false
  return {
    async session(signal) {
      if (disposed) throw new AwqError('INVALID_ARGUMENT', 'The model has been disposed; load it again.')
      const session = opened ?? model.openDecoder({ ...request, signal })
      opened = session
      // A load that failed or was aborted may be tried again.
      session.catch(() => {
        if (opened === session) opened = undefined
      })
      return session
    },
    async dispose() {
      disposed = true
      await (await opened?.catch(() => undefined))?.dispose()
    },
  }
}
