/**
 * A server of the packages' sources and of folders with models, and the Chromium that opens it.
 * @module
 */
import { createReadStream, createWriteStream, mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright'
import { createServer, defaultClientConditions, type Plugin } from 'vite'

/** A software WebGPU adapter; the last two are for containers without a sandbox and with a small /dev/shm. */
export const flags = [
  ...['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan'],
  ...['--no-sandbox', '--disable-dev-shm-usage'],
]
const isolation = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
const root = fileURLToPath(new URL('../..', import.meta.url))

const types: readonly [RegExp, string][] = [
  [/\.m?js$/, 'text/javascript'],
  [/\.wasm$/, 'application/wasm'],
]

/** Serves whole files and ranges of folders as they are, by the folders' names; takes files that are PUT there. */
const folders = (served: Readonly<Record<string, string>>): Plugin => ({
  name: 'folders',
  configureServer({ middlewares }) {
    middlewares.use(async (request, response, next) => {
      const [, name = '', ...path] = decodeURIComponent((request.url ?? '').split('?')[0]!).split('/')
      const folder = served[name]
      if (!folder) return next()
      const file = join(folder, ...path)
      if (!file.startsWith(folder)) return void response.writeHead(404, isolation).end()
      if (request.method === 'PUT') {
        mkdirSync(dirname(file), { recursive: true })
        await pipeline(request, createWriteStream(file))
        return void response.writeHead(204, isolation).end()
      }
      const found = statSync(file, { throwIfNoEntry: false })
      if (!found?.isFile()) return void response.writeHead(404, isolation).end()
      const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
      const start = Number(range?.[1] ?? 0)
      const end = range?.[2] ? Number(range[2]) : found.size - 1
      response.writeHead(range ? 206 : 200, {
        ...isolation,
        'accept-ranges': 'bytes',
        'content-length': end - start + 1,
        'content-type': types.find(([name]) => name.test(file))?.[1] ?? 'application/octet-stream',
        ...(range && { 'content-range': `bytes ${start}-${end}/${found.size}` }),
      })
      if (request.method === 'HEAD' || found.size === 0) return void response.end()
      createReadStream(file, { start, end }).pipe(response)
    })
  },
})

/** Starts the server; its modules and pages are those of this folder. What a browser stores belongs to the port. */
export const servePages = async (served: Readonly<Record<string, string>>, cacheDir: string, port = 0) => {
  const server = await createServer({
    root: fileURLToPath(new URL('.', import.meta.url)),
    configFile: false,
    logLevel: 'error',
    cacheDir,
    resolve: { conditions: ['@awq/source', ...defaultClientConditions] },
    optimizeDeps: { exclude: ['onnxruntime-web'] },
    server: {
      port,
      strictPort: port !== 0,
      headers: isolation,
      fs: { strict: false, allow: [root] },
      hmr: false,
      watch: null,
    },
    plugins: [folders(served)],
  })
  await server.listen()
  return { url: server.resolvedUrls!.local[0]!, close: () => server.close() }
}

/** Opens an empty page of the server, with a script of this folder loaded. */
export const openScript = async (page: Page, url: string, script: string): Promise<void> => {
  await page.goto(`${url}page.html`)
  // The server may reload the page once, when it has found the packages that the script needs.
  await page.evaluate(`import('/${script}')`).catch(() => undefined)
  await page.waitForTimeout(1000)
}
