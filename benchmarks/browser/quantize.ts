/**
 * Quantizes a model in headless Chromium, closes the browser in the middle and goes on in a new one. Prints what it took, and
 * how many codes are those of a store that Node made. Arguments: the folder of a float model; `--out FOLDER`, `--against STORE`,
 * `--close-after BLOCKS`, `--method`, `--bits`, `--group-size`, `--samples`, `--length`, `--threads`, `--device cpu|webgpu`;
 * with `--profile FOLDER`, which keeps the browser's storage, the command ends with 75 where it closes, and goes on when repeated (on the same
 * `--port`, which storage belongs to).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { chromium } from 'playwright'
import { equalCodes } from './equal-codes.ts'
import type { Quantized, QuantizeJob } from './quantizing.ts'
import { flags, openScript, servePages } from './serve.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string' },
    against: { type: 'string' },
    profile: { type: 'string' },
    port: { type: 'string', default: '5273' },
    'close-after': { type: 'string' },
    method: { type: 'string', default: 'awq' },
    bits: { type: 'string', default: '4' },
    'group-size': { type: 'string', default: '64' },
    samples: { type: 'string', default: '8' },
    length: { type: 'string', default: '256' },
    threads: { type: 'string', default: '2' },
    device: { type: 'string', default: 'cpu' },
  },
})
const [model] = positionals
if (!model) throw new Error('the folder of a float model is needed')

const scratch = mkdtempSync(join(tmpdir(), 'awq-browser-'))
const out = resolve(values.out ?? join(scratch, 'out'))
const port = values.profile ? Number(values.port) : 0
const server = await servePages({ model: resolve(model), out }, join(scratch, 'vite'), port)
const job: QuantizeJob = {
  url: `${server.url}model/`,
  put: `${server.url}out/`,
  device: values.device as 'cpu' | 'webgpu',
  method: values.method,
  bits: Number(values.bits) as 4,
  groupSize: Number(values['group-size']),
  samples: Number(values.samples),
  length: Number(values.length),
  threads: Number(values.threads),
}

/** One browser; `undefined` when it was closed after so many blocks. */
const inBrowser = async (closeAfter: number): Promise<Quantized | undefined> => {
  const profile = values.profile ?? join(scratch, 'profile')
  const context = await chromium.launchPersistentContext(profile, { executablePath: '/usr/bin/chromium', args: flags })
  const page = await context.newPage()
  await openScript(page, server.url, 'quantizing.ts')
  let blocks = 0
  let closed = (): void => {}
  const closing = new Promise<undefined>((resolve) => {
    closed = () => resolve(undefined)
  })
  await page.exposeFunction('tell', (layer: number, seconds: number) => {
    console.log(`block ${layer}: ${seconds.toFixed(1)} s`)
    if (++blocks === closeAfter) closed()
  })
  try {
    const work = page.evaluate(
      `import('/quantizing.ts').then((page) => page.quantizeHere(${JSON.stringify(job)}, tell))`,
    )
    return await Promise.race([work as Promise<Quantized>, closing])
  } finally {
    await context.close()
  }
}

try {
  const closeAfter = Number(values['close-after'] ?? Number.POSITIVE_INFINITY)
  let done = await inBrowser(closeAfter)
  if (!done && values.profile) process.exit(75)
  done ??= await inBrowser(Number.POSITIVE_INFINITY)
  const { seconds, stages, layers, resumedLayers, heapBytes = 0 } = done!
  console.log(`${layers} blocks in ${seconds.toFixed(1)} s, ${resumedLayers} from before`)
  console.log(`heap ${Math.round(heapBytes / 2 ** 20)} MiB`)
  for (const { stage, seconds } of stages) console.log(`  ${stage} ${seconds.toFixed(1)} s`)
  if (values.against) console.log(`codes alike ${((await equalCodes(out, values.against)) * 100).toFixed(4)}%`)
} finally {
  await server.close()
  rmSync(scratch, { recursive: true, force: true })
}
process.exit()
