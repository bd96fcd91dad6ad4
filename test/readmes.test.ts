import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { exampleId, firstExample, readmes } from './readme-examples.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const texts = readmes(root)

afterEach(() => {
  vi.restoreAllMocks()
})

test('every package has a README', () => {
  expect([...texts.keys()]).toEqual(readdirSync(`${root}/packages`).sort())
})

describe.each([...texts.keys()])('README of %s', (name) => {
  const text = texts.get(name)!

  test('says first what the package knows and what it must not know', () => {
    const opening = text.slice(0, text.indexOf('```'))
    expect(opening).toMatch(/\bknows?\b/i)
    expect(opening).toMatch(/must not know/i)
  })

  test('the first example runs as it stands', async () => {
    expect(firstExample(text)).toBeDefined()
    // What an example prints is for its reader.
    for (const method of ['log', 'table', 'info'] as const)
      vi.spyOn(console, method).mockImplementation(() => undefined)
    vi.spyOn(process.stdout, 'write').mockImplementation((...given: unknown[]) => {
      const done = given.at(-1)
      if (typeof done === 'function') done()
      return true
    })
    await import(/* @vite-ignore */ exampleId(root, name))
  }, 60_000)
})

test('an example that throws fails its test', async () => {
  expect(firstExample('# x\n\n```sh\nls\n```\n\n```ts\nthrow 1\n```\n')).toBe('throw 1\n')
  expect(firstExample('# x\n')).toBeUndefined()
})
