import { AwqError } from '@awq/tensor'
import { releaseSessions } from '../cached-session.ts'
import { createTurns, type Turns } from '../turns.ts'
import type { Engine, SessionOptions } from '../types.ts'
import { watchMemory } from './large-pages.ts'
import { loadSession } from './load-session.ts'
import type { Runtime } from './runtime.ts'
import { wrapNativeSession } from './session.ts'
import type { EngineSettings } from './session-options.ts'
import type { TensorStore } from './tensor-store.ts'

/**
 * An engine over the C API; it takes over one use of the runtime, and the store.
 * @param turns the device's queue; without one every session has its own
 */
export function makeNativeEngine(
  runtime: Runtime,
  settings: EngineSettings,
  store: TensorStore,
  turns: Turns | undefined,
): Engine {
  let disposed = false
  let released = false
  let sessions = 0
  const checkAlive = () => {
    if (disposed) throw new AwqError('INVALID_ARGUMENT', 'the engine has been disposed')
  }
  /** Sessions outlive their engine when they are not disposed before it: the last one frees what they share. */
  const release = () => {
    if (!disposed || released || sessions > 0) return
    released = true
    void (turns ?? createTurns()).take(() => {
      store.dispose()
      runtime.release()
    })
  }
  const onEnd = () => {
    sessions -= 1
    release()
  }
  const engine: Engine = {
    name: 'native',
    device: settings.device,
    threads: settings.threads,
    features: {
      inPlaceOutputs: true,
      asyncRun: true,
      deviceTensors: store.location === 'device',
      externalFiles: true,
      float16: true,
    },
    async createSession(model: Uint8Array, options: SessionOptions = {}) {
      checkAlive()
      options.signal?.throwIfAborted()
      sessions += 1
      try {
        const load = () => loadSession(runtime, settings, model, options)
        const enlargePages = options.largePages ? watchMemory(runtime.koffi) : undefined
        const pointer = await (turns ? turns.take(load) : load())
        void enlargePages?.()
        const profiled = options.profile !== undefined
        // Again when a loop runs: what it reads and writes, such as a cache, is made after the session.
        const onSteady = enlargePages && (() => void enlargePages())
        const onCpu = settings.device === 'cpu'
        const queue = turns ?? createTurns()
        return wrapNativeSession(runtime, { pointer, store, turns: queue, onEnd, profiled, onCpu, onSteady })
      } catch (error) {
        onEnd()
        throw error
      }
    },
    upload(value) {
      checkAlive()
      return store.upload(value)
    },
    allocate(dtype, shape) {
      checkAlive()
      return store.allocate(dtype, shape)
    },
    async dispose() {
      if (disposed) return
      disposed = true
      await releaseSessions(engine)
      release()
    },
  }
  return engine
}
