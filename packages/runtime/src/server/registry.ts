/**
 * The models of a server: each is loaded when it is first asked for, and unloaded when another one needs its memory.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { LanguageModel } from '../language-model.ts'

/** A model that a server offers. */
export interface ModelEntry {
  /** What requests call it. */
  readonly name: string
  /** Other names for it. */
  readonly aliases?: readonly string[]
  /** Loads it; or the model itself, which then stays as it is: it makes room for no other and is its owner's to dispose. */
  readonly load: (() => Promise<LanguageModel>) | LanguageModel
  /** What it takes in memory, about: weights and caches (`modelNeeds`). Decides what is unloaded for it; 0 by default. */
  readonly bytes?: number
  /** Facts for `/v1/models`, by what they are called there. */
  readonly facts?: Readonly<Record<string, unknown>>
}

/** A model in use; dispose it when the request is over. */
export interface ModelLease extends Disposable {
  readonly name: string
  readonly model: LanguageModel
}

/** What is known of a model at the moment. */
export interface ModelStatus {
  readonly name: string
  readonly state: 'unloaded' | 'loading' | 'loaded' | 'unloading'
  readonly bytes: number
  readonly requests: number
  readonly facts: Readonly<Record<string, unknown>>
  /** The model itself while it is loaded. */
  readonly model: LanguageModel | undefined
  /** Seconds since 1970 when the server came to know it. */
  readonly created: number
}

/** The models of a server. */
export interface ModelRegistry {
  list(): readonly ModelStatus[]
  /** Undefined for a model that there is not. */
  find(name: string): ModelStatus | undefined
  /**
   * The model, loaded; waits for memory while others are in use.
   * @throws AwqError NOT_FOUND for a model that there is not; what its loading throws
   */
  acquire(name: string, signal?: AbortSignal): Promise<ModelLease>
  /** Unloads everything, once nothing is in use. */
  close(): Promise<void>
}

/** How much the models may take. */
export interface RegistryOptions {
  readonly models: readonly ModelEntry[]
  /** Bytes for all loaded models together; no limit by default. A model larger than this is loaded alone. */
  readonly memoryBytes?: number | undefined
  /** Told when a model was loaded or unloaded, and how long it took. */
  readonly onChange?: ((event: { type: 'loaded' | 'unloaded'; name: string; seconds: number }) => void) | undefined
}

interface Slot {
  readonly entry: ModelEntry
  readonly bytes: number
  state: ModelStatus['state']
  model: LanguageModel | undefined
  requests: number
  lastUsed: number
}

/** One that waits for a model; `give` is called once, when the model is loaded or cannot be. */
interface Waiter {
  readonly slot: Slot
  readonly give: (error?: unknown) => void
}

/**
 * Models in a fixed list. Whoever asks for a model that is not loaded waits in a queue; while it has the next turn, models
 * that must make room for it take no new requests, so that every model comes to its turn however busy the others are.
 * @throws AwqError INVALID_ARGUMENT for no models, or two of one name
 */
export const createRegistry = (options: RegistryOptions): ModelRegistry => {
  const { memoryBytes = Number.POSITIVE_INFINITY, onChange } = options
  const slots = options.models.map(
    (entry): Slot => ({
      entry,
      bytes: entry.bytes ?? 0,
      ...(isLoaded(entry.load) ? { state: 'loaded', model: entry.load } : { state: 'unloaded', model: undefined }),
      requests: 0,
      lastUsed: 0,
    }),
  )
  const byName = namesOf(slots)
  const created = Math.floor(Date.now() / 1000)
  const waiting: Waiter[] = []
  let uses = 0
  let closed = false
  let changing = false
  // The head of the queue waits until models in use are free.
  let blocked = false

  const taken = (): number => slots.reduce((sum, slot) => sum + (slot.state === 'unloaded' ? 0 : slot.bytes), 0)

  const timed = async (type: 'loaded' | 'unloaded', slot: Slot, work: () => Promise<void>): Promise<void> => {
    const started = performance.now()
    await work()
    onChange?.({ type, name: slot.entry.name, seconds: (performance.now() - started) / 1000 })
  }

  const unload = async (slot: Slot): Promise<void> => {
    const { model } = slot
    slot.model = undefined
    try {
      await timed('unloaded', slot, async () => model?.dispose())
    } finally {
      slot.state = 'unloaded'
    }
  }

  const load = async (slot: Slot): Promise<void> => {
    slot.state = 'loading'
    try {
      await timed('loaded', slot, async () => {
        slot.model = isLoaded(slot.entry.load) ? slot.entry.load : await slot.entry.load()
      })
      slot.state = 'loaded'
    } catch (error) {
      slot.state = 'unloaded'
      throw error
    }
  }

  /** The models that give up their memory for another, those first that were used longest ago; undefined: not yet. */
  const victims = (needed: number): Slot[] | undefined => {
    const chosen: Slot[] = []
    let excess = taken() + needed - memoryBytes
    for (const slot of slots.filter(({ state }) => state === 'loaded').sort((a, b) => a.lastUsed - b.lastUsed)) {
      if (excess <= 0) break
      if (slot.requests > 0 || isLoaded(slot.entry.load)) continue
      chosen.push(slot)
      excess -= slot.bytes
    }
    const stays = (slot: Slot): boolean =>
      slot.state !== 'unloaded' && !chosen.includes(slot) && !isLoaded(slot.entry.load)
    const nothingLeft = !slots.some(stays)
    return excess <= 0 || nothingLeft ? chosen : undefined
  }

  /** Serves the queue from its head as far as it goes. One change of what is loaded at a time. */
  const advance = async (): Promise<void> => {
    if (changing) return
    changing = true
    blocked = false
    try {
      for (let head = waiting[0]; head; head = waiting[0]) {
        const { slot } = head
        let failure: { error: unknown } | undefined
        if (slot.state !== 'loaded') {
          const room = victims(slot.bytes)
          blocked = room === undefined
          if (!room) return
          try {
            // All at once, so that none is lent while another one is being unloaded.
            for (const victim of room) victim.state = 'unloading'
            for (const victim of room) await unload(victim)
            await load(slot)
          } catch (error) {
            failure = { error }
          }
        }
        for (const waiter of waiting.filter((other) => other.slot === slot)) {
          waiting.splice(waiting.indexOf(waiter), 1)
          if (failure) waiter.give(failure.error)
          else waiter.give()
        }
      }
    } finally {
      changing = false
    }
  }

  const lease = (slot: Slot): ModelLease => {
    const { model } = slot
    if (!model) throw new AwqError('ENGINE', `${slot.entry.name} is not loaded`)
    slot.requests++
    slot.lastUsed = ++uses
    let open = true
    return {
      name: slot.entry.name,
      model,
      [Symbol.dispose]() {
        if (!open) return
        open = false
        slot.requests--
        void advance()
      },
    }
  }

  const statusOf = ({ entry, state, bytes, requests, model }: Slot): ModelStatus => ({
    name: entry.name,
    state,
    bytes,
    requests,
    facts: entry.facts ?? {},
    model,
    created,
  })

  return {
    list: () => slots.map(statusOf),
    find: (name) => {
      const slot = byName.get(name)
      return slot && statusOf(slot)
    },
    async acquire(name, signal) {
      signal?.throwIfAborted()
      const slot = byName.get(name)
      if (!slot || closed) throw new AwqError('NOT_FOUND', `There is no model ${JSON.stringify(name)} here.`)
      if (slot.state === 'loaded' && !blocked) return lease(slot)
      return await new Promise<ModelLease>((resolve, reject) => {
        const leave = (): void => {
          const place = waiting.indexOf(waiter)
          if (place >= 0) waiting.splice(place, 1)
          reject(signal?.reason)
          void advance()
        }
        const waiter: Waiter = {
          slot,
          give: (error) => {
            signal?.removeEventListener('abort', leave)
            if (error === undefined) resolve(lease(slot))
            else reject(error)
          },
        }
        signal?.addEventListener('abort', leave, { once: true })
        waiting.push(waiter)
        void advance()
      })
    },
    async close() {
      closed = true
      for (const waiter of waiting.splice(0)) waiter.give(new AwqError('NOT_FOUND', 'The server was closed.'))
      for (const slot of slots) {
        if (slot.state !== 'loaded' || isLoaded(slot.entry.load)) continue
        slot.state = 'unloading'
        await unload(slot)
      }
    },
  }
}

const isLoaded = (load: ModelEntry['load']): load is LanguageModel => typeof load !== 'function'

const namesOf = (slots: readonly Slot[]): Map<string, Slot> => {
  if (slots.length === 0) throw new AwqError('INVALID_ARGUMENT', 'A server needs at least one model.')
  const byName = new Map<string, Slot>()
  for (const slot of slots) {
    if (byName.has(slot.entry.name)) {
      throw new AwqError('INVALID_ARGUMENT', `Two models are called ${JSON.stringify(slot.entry.name)}.`)
    }
    byName.set(slot.entry.name, slot)
  }
  for (const slot of slots)
    for (const alias of slot.entry.aliases ?? []) if (!byName.has(alias)) byName.set(alias, slot)
  return byName
}
