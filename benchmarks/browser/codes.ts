/**
 * Quantizes models in headless Chromium and by Node's native engine, and prints how many codes are the same and what became of
 * the perplexity. Arguments: folders of float models; lists for `--methods`, `--bits`, `--groups`, `--symmetric`;
 * `--device cpu|webgpu`, `--text FILE`, `--samples`, `--length`.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { quantize } from '@awq/core'
import { evaluate } from '@awq/evaluate'
import { createEngine } from '@awq/ort'
import { openFolder } from '@awq/tensor/node'
import { chromium } from 'playwright'
import { equalCodes } from './equal-codes.ts'
import type { QuantizeJob } from './quantizing.ts'
import { flags, openScript, servePages } from './serve.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    device: { type: 'string', default: 'webgpu' },
    methods: { type: 'string', default: 'rtn,awq,gptq,awq-gptq,smoothquant,smoothquant-awq' },
    bits: { type: 'string', default: '4' },
    groups: { type: 'string', default: '32' },
    symmetric: { type: 'string', default: 'false' },
    samples: { type: 'string', default: '8' },
    length: { type: 'string', default: '64' },
    text: { type: 'string' },
  },
})
const scratch = mkdtempSync(join(tmpdir(), 'awq-codes-'))
const models = Object.fromEntries(positionals.map((model, i) => [`model${i}`, resolve(model)]))
const server = await servePages({ ...models, out: join(scratch, 'page') }, join(scratch, 'vite'))
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags })
const engine = await createEngine()
const list = (text: string): string[] => text.split(',')

/** Both ways with the same options. */
const compare = async (served: string, options: Partial<QuantizeJob>): Promise<string> => {
  const [page, node] = [join(scratch, 'page', served), join(scratch, 'node')]
  for (const folder of [page, node]) rmSync(folder, { recursive: true, force: true })
  const context = await browser.newContext()
  const opened = await context.newPage()
  await openScript(opened, server.url, 'quantizing.ts')
  const job = { url: `${server.url}${served}/`, put: `${server.url}out/${served}/`, device: values.device, ...options }
  await opened.evaluate(`import('/quantizing.ts').then((page) => page.quantizeHere(${JSON.stringify(job)}, () => {}))`)
  await context.close()
  await quantize({ model: models[served]!, output: node, engine, ...options })
  const alike = `${((await equalCodes(page, node)) * 100).toFixed(3)}%`
  if (!values.text) return alike
  const perplexity = async (store: string) => {
    const text = readFileSync(values.text!, 'utf8').slice(0, 20_000)
    return (await evaluate({ model: await openFolder(store), text, window: 128, maxWindows: 8, engine })).perplexity
  }
  const change = (await perplexity(page)) / (await perplexity(node)) - 1
  return `${alike} | ${(change * 100).toFixed(3)}%`
}

try {
  console.log(`| model | method | bits | group | symmetric | codes alike |${values.text ? ' perplexity |' : ''}`)
  for (const served of Object.keys(models))
    for (const method of list(values.methods))
      for (const bits of list(values.bits))
        for (const group of list(values.groups))
          for (const symmetric of list(values.symmetric)) {
            const options = {
              method,
              bits: Number(bits) as 4,
              groupSize: Number(group),
              symmetric: symmetric === 'true',
            }
            const text = { samples: Number(values.samples), length: Number(values.length) }
            const found = await compare(served, { ...options, ...text }).catch((error: Error) =>
              error.message.slice(0, 200),
            )
            console.log(`| ${[basename(models[served]!), method, bits, group, symmetric, found].join(' | ')} |`)
          }
} finally {
  await engine.dispose()
  await browser.close()
  await server.close()
  rmSync(scratch, { recursive: true, force: true })
}
process.exit()
