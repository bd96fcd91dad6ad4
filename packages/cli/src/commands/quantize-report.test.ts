import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { core, runMain } from '../fixtures/fakes.ts'
import type { Libraries, QuantizationRecord } from '../libraries.ts'

const done = {
  output: 'out',
  method: 'awq',
  seconds: 200,
  stages: [],
  peakRssBytes: 1e9,
  memory: {
    peakRssBytes: 1e9,
    boundBytes: 6e8,
    baseBytes: 2e8,
    blockBytes: 1e7,
    stackedBytes: 4e7,
    gramBytes: 1e7,
    activationBytes: 3e8,
    driftBytes: 0,
    visionBytes: 0,
    planBytes: 0,
  },
  inputBytes: 269e6,
  outputBytes: 90e6,
  layers: 30,
  resumedLayers: 0,
}
const record = { method: { name: 'awq' }, versions: { node: '24' } } as unknown as QuantizationRecord

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'awq-cli-report-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Libraries that quantize at once; `asked` are the options of each call. */
const libraries = (render: (record: QuantizationRecord) => string = () => '<page>') => {
  const asked: { record?: boolean }[] = []
  const quantize = async (options: { record?: boolean }) => {
    asked.push(options)
    return options.record ? { ...done, record } : done
  }
  const given: Partial<Libraries> = { ...core({ quantize }), report: async () => ({ renderReport: render }) }
  return { given, asked }
}
const run = (given: Partial<Libraries>, ...args: string[]) =>
  runMain(['quantize', 'm', '-o', join(folder, 'out'), ...args], given)

describe('quantize --report', () => {
  it('writes the page of the record, with the version of the command, and leaves nothing else', async () => {
    let seen: QuantizationRecord | undefined
    const { given, asked } = libraries((shown) => {
      seen = shown
      return '<page>'
    })
    const path = join(folder, 'new', 'report.html')
    const { code, stdout } = await run(given, '--report', path)
    expect(code).toBe(0)
    expect(asked[0]!.record).toBe(true)
    expect(seen!.versions).toEqual({ awq: expect.stringMatching(/^\d/), node: '24' })
    expect(stdout).toContain(`\n  report  ${path}\n`)
    expect(await readdir(join(folder, 'new'))).toEqual(['report.html'])
    expect(await readFile(path, 'utf8')).toBe('<page>')
    expect((await run(given, '--report', path)).code).toBe(0)
  })

  it('asks for no record without it, and prints the same events with it', async () => {
    const { given, asked } = libraries()
    const without = await run(given, '--json')
    expect(asked[0]).not.toHaveProperty('record')
    const path = join(folder, 'report.html')
    expect((await run(given, '--json', '--report', path)).events()).toEqual(without.events())
    expect(without.events()).toEqual([{ ...done, type: 'done' }])
  })

  it('refuses a folder, and a path within a file, before anything is done', async () => {
    const { given, asked } = libraries()
    await mkdir(join(folder, 'there'))
    await writeFile(join(folder, 'file'), '')
    for (const [path, message] of [
      [join(folder, 'there'), 'is a folder; give --report a file'],
      [join(folder, 'out'), 'is a folder; give --report a file'],
      [`${join(folder, 'later')}/`, 'is a folder; give --report a file'],
      [join(folder, 'file', 'report.html'), `${join(folder, 'file')} is a file and can not hold`],
    ] as const) {
      const { code, stderr } = await run(given, '--report', path)
      expect([code, stderr]).toEqual([1, expect.stringContaining(message)])
    }
    expect(asked).toEqual([])
  })

  it('says that the model is complete when its report fails, as page or as file', async () => {
    const path = join(folder, 'report.html')
    const broken = libraries(() => {
      throw new Error('no page')
    })
    const words = `the model is complete, but its report ${path} could not be written: `
    const failed = await run(broken.given, '--report', path)
    expect([failed.code, failed.stderr]).toEqual([1, `awq: ${words}no page\n`])
    expect(failed.stdout).toContain('Try: awq')
    expect(failed.stdout).not.toContain('report  ')

    // The path becomes a folder while the model is made.
    const late = libraries()
    const { quantize } = await late.given.core!()
    const busy = core({
      quantize: async (options) => {
        await mkdir(join(path, 'inside'), { recursive: true })
        return quantize(options)
      },
    })
    const events = (await run({ ...late.given, ...busy }, '--report', path, '--json')).events()
    expect(events.map(({ type }) => type)).toEqual(['done', 'error'])
    expect(events[1]!.message).toContain(words)
    expect(await readdir(folder)).toEqual(['report.html'])
  })
})
