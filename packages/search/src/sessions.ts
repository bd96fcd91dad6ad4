import type { Graph } from '@awq/onnx'
import type { DeviceTensor, Engine, Session, Tensor } from '@awq/ort'

/** Sessions by engine and graph; a model has only a few widths, so a few small graphs serve all of its layers. */
const cache = new WeakMap<Engine, Map<string, Promise<Session>>>()

/** The session of a graph, built when first asked for. `key` must name everything the graph depends on. */
export function cachedSession(engine: Engine, key: string, build: () => Graph): Promise<Session> {
  let sessions = cache.get(engine)
  if (sessions === undefined) {
    sessions = new Map()
    cache.set(engine, sessions)
  }
  const known = sessions.get(key)
  if (known !== undefined) return known
  const made = (async () => engine.createSession(build().toBytes()))()
  sessions.set(key, made)
  // A failed attempt must not be remembered.
  made.catch(() => sessions.delete(key))
  return made
}

/** Frees the sessions that searches have kept for `engine`. Later searches build them anew. */
export async function releaseSearch(engine: Engine): Promise<void> {
  const sessions = cache.get(engine)
  cache.delete(engine)
  for (const session of (await Promise.allSettled(sessions?.values() ?? [])).values()) {
    if (session.status === 'fulfilled') await session.value.dispose()
  }
}

/** Tensors that many runs read, kept on the engine's device when it has one. */
export interface Resident {
  keep(value: Tensor): Tensor | DeviceTensor
  dispose(): void
}

/** A holder of such tensors; on the CPU they stay as they are. */
export function resident(engine: Engine): Resident {
  const held: DeviceTensor[] = []
  const uploads = engine.features.deviceTensors
  return {
    keep(value) {
      if (!uploads) return value
      const uploaded = engine.upload(value)
      held.push(uploaded)
      return uploaded
    },
    dispose() {
      for (const value of held) value.dispose()
    },
  }
}
