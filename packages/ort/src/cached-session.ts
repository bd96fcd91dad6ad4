import type { Engine, Session } from './types.ts'

const cache = new WeakMap<Engine, Map<string, Promise<Session>>>()

/**
 * The session of a small graph that many calls share, made when first asked for and freed with the engine. `key` names
 * everything the graph depends on, and the module it is of. Do not dispose the session.
 */
export function cachedSession(engine: Engine, key: string, build: () => Uint8Array): Promise<Session> {
  const sessions = cache.get(engine) ?? new Map<string, Promise<Session>>()
  cache.set(engine, sessions)
  const known = sessions.get(key)
  if (known !== undefined) return known
  const made = (async () => engine.createSession(build(), { planMemory: false }))()
  sessions.set(key, made)
  // A failed attempt must not be remembered.
  made.catch(() => sessions.delete(key))
  return made
}

/** Frees the sessions kept for an engine; every engine's own `dispose` calls it. */
export async function releaseSessions(engine: Engine): Promise<void> {
  const sessions = cache.get(engine)
  cache.delete(engine)
  for (const session of await Promise.allSettled(sessions?.values() ?? [])) {
    if (session.status === 'fulfilled') await session.value.dispose()
  }
}
