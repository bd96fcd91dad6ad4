/**
 * What a page needs of its build: headers for threads, a strict Content-Security-Policy, a service worker that knows all
 * files, and model folders beside the page. One function, so that all examples have the same.
 * @module
 */
import { createHash } from 'node:crypto'
import { createReadStream, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defaultClientConditions, type Plugin, type UserConfig } from 'vite'

const path = (url: string): string => fileURLToPath(new URL(url, import.meta.url))

/** Threads of WebAssembly share memory, which browsers allow to isolated pages only. */
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
}

/** Own scripts only, and WebAssembly; models may come from any address that somebody types, pictures from this machine. */
const policy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "style-src 'self'",
  'img-src data: blob:',
  "connect-src 'self' https: http:",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

/** The policy in the page itself, for hosts that send no headers; the dev server needs inline styles of its own. */
const contentSecurityPolicy = (): Plugin => ({
  name: 'content-security-policy',
  apply: 'build',
  transformIndexHtml: () => [
    { tag: 'meta', attrs: { 'http-equiv': 'Content-Security-Policy', content: policy }, injectTo: 'head-prepend' },
  ],
})

/** Serves folders as `models/NAME/FILE`, in development and in the build. */
const modelFolders = (folders: readonly string[]): Plugin => {
  const files = new Map<string, string>(
    folders.flatMap((folder) =>
      readdirSync(folder).map((file) => [`models/${basename(folder)}/${file}`, join(folder, file)] as const),
    ),
  )
  return {
    name: 'model-folders',
    configureServer: (server) => {
      server.middlewares.use((request, response, next) => {
        const file = files.get(new URL(request.url ?? '', 'http://localhost').pathname.slice(1))
        if (file === undefined) return next()
        const { size } = statSync(file)
        const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
        const [start, end] = [Number(from ?? 0), Math.min(size - 1, Number(to ?? size - 1))]
        if (from !== undefined) response.setHeader('Content-Range', `bytes ${start}-${end}/${size}`)
        response.setHeader('Content-Length', end - start + 1)
        response.statusCode = from === undefined ? 200 : 206
        createReadStream(file, { start, end }).pipe(response)
      })
    },
    generateBundle() {
      for (const [fileName, file] of files)
        this.emitFile({ type: 'asset', fileName, source: new Uint8Array(readFileSync(file)) })
    },
  }
}

const WORKER = 'service-worker.js'

/** Tells the service worker which files there are; a change of any of them makes it a new one. */
const serviceWorker = (): Plugin => ({
  name: 'service-worker',
  apply: 'build',
  enforce: 'post',
  generateBundle: {
    order: 'post',
    handler(_, bundle) {
      const worker = bundle[WORKER]
      if (worker?.type !== 'chunk') return this.error(`there is no ${WORKER}`)
      const version = createHash('sha256')
      const files = Object.values(bundle)
        .filter(({ fileName }) => fileName !== WORKER && !fileName.endsWith('.map'))
        .map((file) => {
          const content = file.type === 'chunk' ? file.code : file.source
          version.update(content)
          return { file: file.fileName, bytes: content.length }
        })
      worker.code = worker.code
        .replaceAll('__FILES__', JSON.stringify(files))
        .replace('__HEADERS__', JSON.stringify({ ...isolation, 'Content-Security-Policy': policy }))
        .replace('__VERSION__', JSON.stringify(version.digest('hex').slice(0, 12)))
    },
  },
})

/** The configuration of a page. `--mode source` takes the packages' sources in place of their builds. */
export const pageConfig = (mode: string, folders: readonly string[]): UserConfig => ({
  // Relative addresses: the build works in any folder of any host.
  base: './',
  // A file that is not there is an error, not the page.
  appType: 'mpa',
  publicDir: false,
  resolve: { conditions: [...(mode === 'source' ? ['@awq/source'] : []), ...defaultClientConditions] },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  // Bundling these ahead of time would part them from the workers and the .wasm files that lie beside them.
  optimizeDeps: { exclude: ['@awq/core', '@awq/ort', '@awq/runtime', '@awq/tensor', 'onnxruntime-web'] },
  server: { headers: isolation },
  preview: { headers: { ...isolation, 'Content-Security-Policy': policy } },
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1000,
    rolldownOptions: {
      input: { page: 'index.html', worker: path('service-worker.ts') },
      output: { entryFileNames: ({ name }) => (name === 'worker' ? WORKER : 'assets/[name]-[hash].js') },
    },
  },
  plugins: [
    contentSecurityPolicy(),
    modelFolders(folders.map((folder) => path(`../models/${folder}`))),
    serviceWorker(),
  ],
})
