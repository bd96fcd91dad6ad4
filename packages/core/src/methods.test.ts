import { describe, expect, test } from 'vitest'
import { type MethodOptions, methods, rtn, unusedOptionsWarning } from './methods.ts'

const given: Required<Omit<MethodOptions, 'keepSalient' | 'salientBy' | 'seed'>> = {
  scaleStrategy: 'duo',
  objective: 'block',
  propagate: 'quantized',
  clipEnds: 'independent',
  smoothAlpha: 0.3,
  damping: 0.02,
  order: 'column',
}

describe('options of methods', () => {
  test.each(Object.entries(methods))('%s warns of those that it does not read, and of no other', (name, make) => {
    const read = new Set<string | symbol>()
    const get = (options: MethodOptions, key: string | symbol) => {
      read.add(key)
      return Reflect.get(options, key)
    }
    make(new Proxy<MethodOptions>(given, { get }))
    for (const [option, value] of Object.entries(given)) {
      const warning = unusedOptionsWarning([name], { [option]: value })
      expect(warning === undefined, `${name}: ${option}`).toBe(read.has(option))
    }
  })

  test('a comparison warns of what none of its methods reads, in words', () => {
    expect(unusedOptionsWarning(['rtn', 'awq'], given)).toBe('without effect on rtn, awq: damping, order, smooth alpha')
    expect(unusedOptionsWarning(['rtn', 'awq-gptq', 'smoothquant'], given)).toBe(undefined)
    expect(unusedOptionsWarning([{ ...rtn(), name: 'own' }], { scaleStrategy: 'duo' })).toMatch(
      /on own: scale strategy/,
    )
    expect(unusedOptionsWarning(['rtn'], { salientBy: 'weight' })).toMatch(/salient by/)
    expect(unusedOptionsWarning(['rtn'], { salientBy: 'weight', keepSalient: 0.1 })).toBe(undefined)
  })

  test('an unknown propagation is refused by every method that has one', () => {
    for (const [name, make] of Object.entries(methods)) {
      const run = () => make({ propagate: 'quantised' as 'quantized' })
      if (name === 'rtn') expect(run).not.toThrow()
      else expect(run).toThrow(/unknown propagate "quantised"; known: float, quantized, compensated/)
    }
  })
})
