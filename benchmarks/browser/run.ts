/**
 * Generation in headless Chromium: our runtime, in a Worker and on the page, and transformers.js, with the same model in the
 * same browser. Arguments: a store of 4 bits; `--tokens N`, `--accuracy exact|fast`, `--device cpu|webgpu`, `--only ours,page,peer`.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { openPortable, writeModel } from '@awq/formats'
import { openFolderWriter } from '@awq/formats/node'
import { openFolder } from '@awq/tensor/node'
import { chromium } from 'playwright'
import { transformersJs } from '../../tools/formats/environments.ts'
import type { Figures, Job } from './figures.ts'
import { flags, openScript, servePages } from './serve.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tokens: { type: 'string', default: '64' },
    accuracy: { type: 'string', default: 'fast' },
    device: { type: 'string', default: 'cpu' },
    only: { type: 'string', default: 'ours,page,peer' },
    prompt: { type: 'string', default: 'Once upon a time' },
  },
})
const [store] = positionals
if (!store) throw new Error('the folder of a quantized model is needed')
const accuracy = values.accuracy as Job['accuracy']
const only = values.only.split(',')

const scratch = mkdtempSync(join(tmpdir(), 'awq-browser-'))
try {
  const peer = join(scratch, 'peers', 'model')
  mkdirSync(join(scratch, 'peers'))
  if (only.includes('peer')) {
    await using model = await openPortable(await openFolder(resolve(store)))
    await writeModel(model, 'transformersjs', await openFolderWriter(peer), { accuracy })
  }
  cpSync(resolve(store), join(scratch, 'ours'), { recursive: true })
  const modules = only.includes('peer') ? join(transformersJs(), 'node_modules') : scratch
  const served = {
    models: scratch,
    transformers: join(modules, '@huggingface/transformers/dist'),
    onnxruntime: join(modules, 'onnxruntime-web/dist'),
  }
  const server = await servePages(served, join(scratch, 'vite'))
  const { url } = server
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags })
  const page = async (script: string, call: string, job: Job): Promise<Figures> => {
    const context = await browser.newContext()
    const opened = await context.newPage()
    await openScript(opened, url, script)
    try {
      return (await opened.evaluate(
        `import('/${script}').then((page) => page.${call}(${JSON.stringify(job)}))`,
      )) as Figures
    } finally {
      await context.close()
    }
  }
  const job = { device: values.device as Job['device'], accuracy, prompt: values.prompt, tokens: Number(values.tokens) }
  const contestants: readonly [string, string, () => Promise<Figures>][] = [
    ['ours', 'in a Worker', () => page('ours.ts', 'measureOurs', { ...job, url: `${url}models/ours/`, worker: true })],
    ['page', 'on the page', () => page('ours.ts', 'measureOurs', { ...job, url: `${url}models/ours/`, worker: false })],
    [
      'peer',
      'transformers.js',
      () => page('peer.mjs', 'measurePeer', { ...job, url: `${url}models/peers/model/`, worker: false }),
    ],
  ]
  try {
    console.log(`Chromium ${browser.version()}, ${values.device}, accuracy ${accuracy}\n`)
    console.log(
      '| | loaded, s | prompt, s | tokens/s | heap, MiB | threads | first tokens |\n| --- | --- | --- | --- | --- | --- | --- |',
    )
    for (const [key, name, measure] of contestants) {
      if (!only.includes(key)) continue
      const made = await measure()
      const heap = made.heapBytes === undefined ? '' : Math.round(made.heapBytes / 2 ** 20)
      const cells = [name, made.loadSeconds.toFixed(1), made.promptSeconds.toFixed(2), made.tokensPerSecond.toFixed(1)]
      console.log(`| ${[...cells, heap, made.threads ?? '', made.ids.slice(0, 6).join(' ')].join(' | ')} |`)
    }
  } finally {
    await browser.close()
    await server.close()
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
process.exit()
