/** Built by vite and served with a strict Content-Security-Policy, a page loads a model and writes: in a real browser. */
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { extname, join, normalize } from 'node:path'
import { type Browser, chromium } from 'playwright'
import { build, defaultClientConditions } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const executablePath = '/usr/bin/chromium'
const root = join(import.meta.dirname, '..')
const policy =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; base-uri 'none'"
const isolation = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
}

/** Serves a built page, and a model below `/model/`. */
const serve = (page: string, headers: Record<string, string>): Server =>
  createServer(async (request, response) => {
    const path = normalize(new URL(request.url!, 'http://x').pathname)
    const [, file] = /^\/model\/(.+)$/.exec(path) ?? []
    const place = file
      ? join(root, 'examples/models/stories260k', file)
      : join(page, path === '/' ? 'index.html' : path)
    try {
      const bytes = await readFile(place)
      const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
      const all = { 'content-type': types[extname(place)] ?? 'application/octet-stream', ...headers }
      if (start === undefined) return void response.writeHead(200, all).end(bytes)
      const part = bytes.subarray(Number(start), Number(end) + 1)
      const range = `bytes ${start}-${Number(start) + part.length - 1}/${bytes.length}`
      response.writeHead(206, { ...all, 'content-range': range }).end(part)
    } catch {
      response.writeHead(404, headers).end()
    }
  })

describe.skipIf(!existsSync(executablePath))('a page that may not evaluate text', () => {
  let built: string
  let browser: Browser
  beforeAll(async () => {
    built = await mkdtemp(join(tmpdir(), 'awq-strict-page-'))
    await build({
      configFile: false,
      logLevel: 'error',
      root: join(import.meta.dirname, 'strict-page'),
      base: './',
      resolve: { conditions: ['@awq/source', ...defaultClientConditions] },
      worker: { format: 'es' },
      build: { outDir: built, emptyOutDir: true, minify: false, target: 'es2024', modulePreload: false },
    })
    browser = await chromium.launch({
      executablePath,
      args: [
        '--enable-unsafe-webgpu',
        '--use-webgpu-adapter=swiftshader',
        '--enable-features=Vulkan',
        '--no-sandbox',
        '--disable-dev-shm-usage',
      ],
    })
  }, 240_000)
  afterAll(async () => {
    await browser?.close()
    await rm(built, { recursive: true, force: true })
  })

  test.each([
    ['cpu', 'isolated', isolation],
    ['cpu', 'not isolated', {}],
    ['webgpu', 'isolated', isolation],
  ] as const)(
    'writes on %s, %s',
    async (device, _, headers) => {
      const server = serve(built, { ...headers, 'Content-Security-Policy': policy })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const context = await browser.newContext()
      try {
        const page = await context.newPage()
        const said: string[] = []
        page.on('console', (message) => said.push(message.text()))
        page.on('pageerror', (error) => said.push(error.message))
        await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/?device=${device}`)
        await page.waitForFunction(() => 'outcome' in window, undefined, { timeout: 60_000 })
        const outcome = await page.evaluate(() => window.outcome)
        expect({ outcome, violations: await page.evaluate(() => window.violations) }, said.join('\n')).toEqual({
          outcome: {
            text: expect.stringMatching(/^, there was a little girl named Lily/),
            isolated: headers === isolation,
            device,
            stages:
              device === 'cpu' ? ['open', 'download', 'load', 'ready'] : ['open', 'check', 'download', 'load', 'ready'],
          },
          violations: [],
        })
      } finally {
        await context.close()
        server.closeAllConnections()
        server.close()
      }
    },
    180_000,
  )
})
