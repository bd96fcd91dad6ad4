import { engineLife } from '../engine-life.ts'
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
  const life = engineLife(() => {
    void (turns ?? createTurns()).take(() => {
      store.dispose()
      runtime.release()
    })
  })
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
      life.check()
      options.signal?.throwIfAborted()
      life.began()
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
        return wrapNativeSession(runtime, {
          pointer,
          store,
          turns: queue,
          onEnd: life.ended,
          profiled,
          onCpu,
          onSteady,
        })
      } catch (error) {
        life.ended()
        throw error
      }
    },
    upload(value) {
      life.check()
      return store.upload(value)
    },
    allocate(dtype, shape) {
      life.check()
      return store.allocate(dtype, shape)
    },
    dispose: () => life.dispose(engine),
  }
  return engine
}
