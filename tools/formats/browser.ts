/**
 * Proof of the folders for transformers.js where they are meant to run: transformers.js in Chromium writes the same greedy tokens
 * as our runtime, on WebAssembly and on WebGPU. Nothing but the local server is reached. Arguments: stores or float checkpoints
 * (which are rounded to 4 bits first), names of tiny checkpoints, or none for stories260k, llama and qwen3.
 *
 * Prints a table: tokens the same until the first that differs; behind them, by how much our logits prefer ours there, and for
 * WebGPU how many kernels ran.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openPortable, writeModel } from '@awq/formats'
import { openFolderWriter } from '@awq/formats/node'
import { messageOf } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { type Browser, chromium } from 'playwright'
import { transformersJs } from './environments.ts'
import { serveFolders } from './file-server.ts'
import { asked, compare, dtypesOf, type Job, type Made, storeOf, tiny } from './generation.ts'
import { tinyNames } from './tiny-models.ts'

/** Chromium's own WebGPU on the CPU; the last two are for containers without a sandbox and with a small /dev/shm. */
const chromiumFlags = [
  ...['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan'],
  ...['--no-sandbox', '--disable-dev-shm-usage'],
]
const FORMAT = 'transformersjs'
const devices = ['wasm', 'webgpu'] as const

type Device = (typeof devices)[number]
type PageJob = Omit<Job, 'folder'> & { readonly name: string; readonly device: Device }

interface Adapter {
  readonly name: string
  readonly float16: boolean
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Calls a function of browser-page.mjs in a page of its own. */
const inPage = async <T>(browser: Browser, url: string, name: string, argument?: object): Promise<T> => {
  const context = await browser.newContext()
  try {
    const elsewhere: string[] = []
    await context.route(
      (asked) => asked.origin !== url && asked.protocol.startsWith('http'),
      (route) => {
        elsewhere.push(route.request().url())
        return route.abort()
      },
    )
    const page = await context.newPage()
    await page.goto(`${url}/`)
    const call = `import('/page/browser-page.mjs').then((page) => page.${name}(${JSON.stringify(argument)}))`
    const result = (await page.evaluate(call)) as T
    if (elsewhere.length > 0) throw new Error(`asked for ${elsewhere.join(', ')}`)
    return result
  } finally {
    await context.close()
  }
}

/** Float16 is not what our runtime computes in: near tokens may differ there. */
const judged = (dtype: string): boolean => !dtype.endsWith('f16')

/** Proves some models; false when one was not right. */
export const proveBrowser = async (args: readonly string[]): Promise<boolean> => {
  const modules = join(transformersJs(), 'node_modules')
  const scratch = mkdtempSync(join(tmpdir(), 'awq-browser-'))
  const stories = here('../../examples/models/stories260k')
  const paths = (args.length > 0 ? args : [stories, 'llama', 'qwen3']).map((arg) =>
    tinyNames().includes(arg) ? join(tiny, arg) : resolve(arg),
  )
  let right = true
  try {
    await using server = await serveFolders({
      page: here('.').slice(0, -1),
      models: scratch,
      transformers: join(modules, '@huggingface/transformers/dist'),
      onnxruntime: join(modules, 'onnxruntime-web/dist'),
    })
    await using browser = await chromium.launch({
      ...{ executablePath: '/usr/bin/chromium', args: chromiumFlags },
    })
    const adapter = await inPage<Adapter | undefined>(browser, server.url, 'adapter')
    const float16 = adapter?.float16 ? 'with float16' : 'without float16'
    console.log(`Chromium ${browser.version()}; WebGPU: ${adapter ? `${adapter.name}, ${float16}` : 'no adapter'}\n`)
    console.log('| model | device | dtype | tokens the same | |\n| --- | --- | --- | --- | --- |')
    for (const path of paths) {
      const store = await storeOf(path, 4, scratch)
      await using model = await openPortable(await openFolder(store))
      const name = `${basename(path)}-${FORMAT}`
      const row = (...cells: string[]) => console.log(`| ${[basename(path), ...cells].join(' | ')} |`)
      try {
        await writeModel(model, FORMAT, await openFolderWriter(join(scratch, name)), { accuracy: 'exact' })
      } catch (error) {
        row('', '', 'refused', messageOf(error).slice(0, 200))
        continue
      }
      for (const device of devices)
        for (const dtype of dtypesOf(readdirSync(join(scratch, name, 'onnx')))) {
          if (device === 'webgpu' && !adapter) {
            row(device, dtype, 'not run', 'no adapter')
            continue
          }
          if (device === 'webgpu' && !adapter?.float16 && !judged(dtype)) {
            row(device, dtype, 'not run', 'the adapter has no float16')
            continue
          }
          try {
            const questions = asked(path)
            const job: PageJob = { name, dtype, device, ...questions }
            const made = await inPage<Made & { dispatches: number }>(browser, server.url, 'answer', job)
            const { same, total, worst } = await compare(store, 'exact', made, questions.tokens)
            const ran = device === 'wasm' || made.dispatches > 0
            if (!ran || (same < total && judged(dtype))) right = false
            const notes = [
              ...(same < total ? [`then ours are preferred by ${worst.toFixed(4)}`] : []),
              ...(device === 'webgpu' ? [`${made.dispatches} kernels`] : []),
            ]
            row(device, dtype, `${same} of ${total}`, notes.join(', '))
          } catch (error) {
            right = false
            row(device, dtype, 'FAILED', messageOf(error).replaceAll(/\s+/g, ' ').slice(0, 300))
          }
        }
      rmSync(join(scratch, name), { recursive: true, force: true })
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return right
}
