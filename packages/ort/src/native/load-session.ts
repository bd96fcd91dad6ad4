import { readExternalData } from '../external-data.ts'
import type { SessionOptions } from '../types.ts'
import { callAsync } from './call-async.ts'
import { nativeWords } from './memory.ts'
import type { Runtime } from './runtime.ts'
import { type EngineSettings, makeSessionOptions } from './session-options.ts'
import { check, takeFailure } from './status.ts'

/**
 * Loads a graph on another thread and returns its OrtSession. An abort stops the loading where the library can.
 * @param required refuses the graph when the CPU would have to compute a part of it
 * @throws AwqError `ENGINE` with ONNX Runtime's words; the signal's reason
 */
export async function loadSession(
  runtime: Runtime,
  settings: EngineSettings,
  model: Uint8Array,
  given: SessionOptions,
  required = false,
): Promise<bigint> {
  const { api, env } = runtime
  const { signal } = given
  const externalData = given.externalData && (await readExternalData(given.externalData, signal))
  const { options, kept } = makeSessionOptions(runtime, settings, { ...given, externalData }, required)
  const cancel = () => {
    takeFailure(runtime, api.SessionOptionsSetLoadCancellationFlag(options, true))
  }
  const cancels = signal !== undefined && runtime.has('SessionOptionsSetLoadCancellationFlag')
  if (cancels) signal.addEventListener('abort', cancel, { once: true })
  const out = nativeWords(1)
  try {
    const bytes = model.byteLength === 0 ? new Uint8Array(1) : model
    const used = [bytes, out, kept]
    const status = await callAsync(api.CreateSessionFromArray, used, env, bytes, model.byteLength, options, out)
    if (signal?.aborted) {
      takeFailure(runtime, status)
      if (out[0] !== 0n) await callAsync(api.ReleaseSession, [], out[0]!)
      throw signal.reason
    }
    check(runtime, status, 'load the graph')
    return out[0]!
  } finally {
    if (cancels) signal.removeEventListener('abort', cancel)
    api.ReleaseSessionOptions(options)
  }
}
