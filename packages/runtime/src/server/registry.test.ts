import { describe, expect, it } from 'vitest'
import type { LanguageModel } from '../language-model.ts'
import { createRegistry } from './registry.ts'

/** A registry of models of given sizes, and what happened to them. */
const start = (sizes: Record<string, number>, memoryBytes?: number, fails: Record<string, Error> = {}) => {
  const log: string[] = []
  const registry = createRegistry({
    memoryBytes,
    models: Object.entries(sizes).map(([name, bytes]) => ({
      name,
      bytes,
      aliases: [`alias-${name}`],
      load: async () => {
        log.push(`load ${name}`)
        await new Promise((resolve) => setTimeout(resolve, 5))
        if (fails[name]) throw fails[name]
        return { dispose: async () => void log.push(`unload ${name}`) } as unknown as LanguageModel
      },
    })),
  })
  return { registry, log }
}

describe('createRegistry', () => {
  it('loads a model once for all who ask for it, by any of its names', async () => {
    const { registry, log } = start({ a: 1 })
    const leases = await Promise.all(['a', 'alias-a', 'a'].map((name) => registry.acquire(name)))
    expect(new Set(leases.map(({ model }) => model)).size).toBe(1)
    expect(log).toEqual(['load a'])
    expect(registry.find('alias-a')).toMatchObject({ name: 'a', state: 'loaded', requests: 3 })
    for (const lease of leases) lease[Symbol.dispose]()
    leases[0]?.[Symbol.dispose]()
    expect(registry.find('a')?.requests).toBe(0)
    await registry.close()
    expect(log).toEqual(['load a', 'unload a'])
    await expect(registry.acquire('a')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('unloads what was used longest ago, and only what is not in use', async () => {
    const { registry, log } = start({ a: 4, b: 4, c: 4 }, 8)
    const use = async (name: string) => (await registry.acquire(name))[Symbol.dispose]()
    await use('a')
    await use('b')
    await use('a')
    await use('c')
    expect(log).toEqual(['load a', 'load b', 'unload b', 'load c'])
    const held = await registry.acquire('a')
    await use('b')
    expect(log.slice(4)).toEqual(['unload c', 'load b'])
    held[Symbol.dispose]()
  })

  it('lets one that waits for memory come to its turn however busy the others are', async () => {
    const { registry, log } = start({ a: 8, b: 8 }, 8)
    const first = await registry.acquire('a')
    const order: string[] = []
    const b = registry.acquire('b').then((lease) => {
      order.push('b')
      return lease
    })
    const again = registry.acquire('a').then((lease) => {
      order.push('a')
      return lease
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(order).toEqual([])
    first[Symbol.dispose]()
    ;(await b)[Symbol.dispose]()
    ;(await again)[Symbol.dispose]()
    expect(order).toEqual(['b', 'a'])
    expect(log).toEqual(['load a', 'unload a', 'load b', 'unload b', 'load a'])
  })

  it('loads a model larger than the limit alone, and gives leases while another one is loading', async () => {
    const { registry, log } = start({ a: 4, b: 100 }, 8)
    ;(await registry.acquire('a'))[Symbol.dispose]()
    ;(await registry.acquire('b'))[Symbol.dispose]()
    expect(log).toEqual(['load a', 'unload a', 'load b'])
    const free = start({ a: 1, b: 1 })
    ;(await free.registry.acquire('a'))[Symbol.dispose]()
    const loading = free.registry.acquire('b')
    await free.registry.acquire('a')
    expect(free.registry.find('b')?.state).toBe('loading')
    await loading
  })

  it('passes a failure on and tries again the next time', async () => {
    const fails: Record<string, Error> = { a: new Error('broken') }
    const { registry } = start({ a: 1 }, 8, fails)
    await expect(registry.acquire('a')).rejects.toThrow('broken')
    delete fails.a
    expect((await registry.acquire('a')).name).toBe('a')
  })

  it('forgets who has gone while waiting', async () => {
    const { registry, log } = start({ a: 8, b: 8 }, 8)
    const held = await registry.acquire('a')
    const controller = new AbortController()
    const waiting = registry.acquire('b', controller.signal)
    controller.abort(new Error('gone'))
    await expect(waiting).rejects.toThrow('gone')
    ;(await registry.acquire('a'))[Symbol.dispose]()
    held[Symbol.dispose]()
    expect(log).toEqual(['load a'])
  })

  it('refuses no models, and two of one name', () => {
    expect(() => createRegistry({ models: [] })).toThrow(/at least one/)
    const entry = { name: 'a', load: async () => ({}) as LanguageModel }
    expect(() => createRegistry({ models: [entry, entry] })).toThrow(/Two models/)
  })
})
