import { AwqError } from '@awq/tensor'
import { describe, expect, it } from 'vitest'
import { describeError } from './describe-error.ts'

const system = (code: string, path?: string): Error =>
  Object.assign(new Error(`${code}: raw words`), { code, ...(path ? { path } : {}) })

describe('describeError', () => {
  it('passes on what an AwqError says, in one line', () => {
    expect(describeError(new AwqError('CONFIG', 'unknown architecture\n  "Foo"'))).toEqual({
      code: 'CONFIG',
      message: 'unknown architecture "Foo"',
    })
  })
  it('takes from a message what a terminal would obey', () => {
    const hostile = new AwqError('CONFIG', 'no tensor "\u001b[2Ja\rb\u009b31m\u202ec"')
    expect(describeError(hostile).message).toBe('no tensor "\ufffd[2Ja\ufffdb\ufffd31m\ufffdc"')
  })
  it('names a full disk even below an error that does not', () => {
    const error = new AwqError('IO', 'cannot write out/model.safetensors', { cause: system('ENOSPC', 'out/x') })
    expect(describeError(error)).toEqual({
      code: 'IO',
      message: 'no space left on the disk (out/x): free some, then run the same command again with --resume',
    })
    const clear = new AwqError('IO', 'no space left for out/x', { cause: system('ENOSPC') })
    expect(describeError(clear).message).toBe('no space left for out/x')
  })
  it.each([
    ['ENOENT', 'NOT_FOUND', /no such file or folder \(p\)/],
    ['EACCES', 'IO', /permission denied \(p\)/],
    ['EISDIR', 'INVALID_ARGUMENT', /folder/],
  ])('translates %s', (code, expected, message) => {
    const described = describeError(system(code, 'p'))
    expect(described.code).toBe(expected)
    expect(described.message).toMatch(message)
  })
  it('finds the cause of a failed fetch', () => {
    expect(describeError(new TypeError('fetch failed', { cause: system('ECONNREFUSED') })).code).toBe('NETWORK')
  })
  it('says what is not foreseen, also when it is no error', () => {
    expect(describeError(new TypeError("Cannot read properties of undefined (reading 'x')")).code).toBe('INTERNAL')
    expect(describeError('text').message).toContain('text')
    expect(describeError(undefined).code).toBe('INTERNAL')
    expect(describeError(new RangeError('Array buffer allocation failed')).code).toBe('MEMORY')
  })
  it('ends on causes in a circle', () => {
    const a = new Error('a')
    a.cause = a
    expect(describeError(a).code).toBe('INTERNAL')
  })
})
