/**
 * Opens a built page in headless Chromium, from a host that does no more than send files.
 * @module
 */
import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import { chromium, type Page } from 'playwright'

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
}

/** What a host of models says to pages of other origins. */
const forOthers = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'Accept-Ranges, Content-Length, Content-Range, ETag',
  'Accept-Ranges': 'bytes',
}

/** A static host: no headers for isolation, no range requests; of models, which pages of other origins read by ranges. */
export const serveStatic = async (
  folder: string,
  { models = false } = {},
): Promise<AsyncDisposable & { readonly url: string }> => {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const file = join(folder, normalize(pathname.endsWith('/') ? `${pathname}index.html` : pathname))
    const status = statSync(file, { throwIfNoEntry: false })
    if (!status?.isFile()) {
      response.writeHead(404, models ? forOthers : {}).end()
      return
    }
    const [, first, last] = (models && /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')) || []
    const [start, end] = [Number(first ?? 0), Math.min(Number(last || Number.POSITIVE_INFINITY), status.size - 1)]
    response.writeHead(first === undefined ? 200 : 206, {
      'Content-Type': types[extname(file)] ?? 'application/octet-stream',
      'Content-Length': end - start + 1,
      'Cache-Control': 'no-cache',
      ...(models ? forOthers : {}),
      ...(first === undefined ? {} : { 'Content-Range': `bytes ${start}-${end}/${status.size}` }),
    })
    if (request.method === 'HEAD') response.end()
    else createReadStream(file, { start, end }).pipe(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Chromium with a WebGPU adapter in software; the last two are for containers without a sandbox and with a small /dev/shm. */
const flags = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  '--no-sandbox',
  '--disable-dev-shm-usage',
]

/** A browser whose pages note what they complain of. @param more flags of Chromium */
export const openBrowser = async (more: readonly string[] = []) => {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: [...flags, ...more] })
  const complaints: string[] = []
  const watch = (page: Page): Page => {
    page.setDefaultTimeout(60_000)
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    return page
  }
  return { browser, complaints, watch, [Symbol.asyncDispose]: () => browser.close() }
}
