/**
 * Keeps the page for use without a network, and gives it the headers that static hosts leave out: with them the page is
 * cross-origin isolated, and WebAssembly has threads. The build fills in the three names in capitals.
 * @module
 */
declare const __FILES__: readonly { readonly file: string; readonly bytes: number }[]
declare const __HEADERS__: Readonly<Record<string, string>>
declare const __VERSION__: string

/** The few things of a service worker's scope that are used here; TypeScript has them in a library that excludes the DOM's. */
interface WorkerScope {
  readonly registration: { readonly scope: string }
  readonly clients: { claim(): Promise<void> }
  skipWaiting(): Promise<void>
  addEventListener(
    type: 'install' | 'activate',
    listener: (event: { waitUntil(work: Promise<unknown>): void }) => void,
  ): void
  addEventListener(
    type: 'fetch',
    listener: (event: { readonly request: Request; respondWith(response: Promise<Response>): void }) => void,
  ): void
}

const scope = globalThis as unknown as WorkerScope
const base = scope.registration.scope
const prefix = `page ${base} `
const name = `${prefix}${__VERSION__}`
const addressOf = (file: string): string => new URL(file === 'index.html' ? './' : file, base).href
const known = new Set(__FILES__.map(({ file }) => addressOf(file)))

/** Larger files, which are WebAssembly, are kept when they are first used: nobody needs those of every device. */
const SMALL = 4 * 2 ** 20

scope.addEventListener('install', (event) => {
  const small = __FILES__.filter(({ bytes }) => bytes < SMALL).map(({ file }) => addressOf(file))
  event.waitUntil(
    caches.open(name).then((cache) => cache.addAll(small.map((url) => new Request(url, { cache: 'reload' })))),
  )
  void scope.skipWaiting()
})

scope.addEventListener('activate', (event) => {
  const clean = async (): Promise<void> => {
    for (const other of await caches.keys()) if (other.startsWith(prefix) && other !== name) await caches.delete(other)
    await scope.clients.claim()
  }
  event.waitUntil(clean())
})

scope.addEventListener('fetch', (event) => {
  const { request } = event
  if (request.method === 'GET' && new URL(request.url).origin === location.origin) event.respondWith(answer(request))
})

const answer = async (request: Request): Promise<Response> => {
  const url = new URL(request.url)
  url.search = ''
  url.hash = ''
  if (url.href.endsWith('/index.html')) url.pathname = url.pathname.slice(0, -'index.html'.length)
  if (!known.has(url.href)) return withHeaders(await fetch(request))
  const cache = await caches.open(name)
  const kept = await cache.match(url.href)
  const range = request.headers.get('range')
  if (kept) return withHeaders(range === null ? kept : await part(kept, range))
  const fresh = await fetch(request)
  if (fresh.status === 200) await cache.put(url.href, fresh.clone())
  return withHeaders(fresh)
}

/** `bytes=FIRST-LAST` of a whole file, as a server would cut it. */
const part = async (whole: Response, range: string): Promise<Response> => {
  const bytes = await whole.arrayBuffer()
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? []
  const [start, end] = [Number(first), Math.min(bytes.byteLength - 1, last ? Number(last) : Number.POSITIVE_INFINITY)]
  if (first === undefined || start > end) {
    return new Response(null, { status: 416, headers: { 'Content-Range': `bytes */${bytes.byteLength}` } })
  }
  return new Response(bytes.slice(start, end + 1), {
    status: 206,
    headers: { 'Content-Range': `bytes ${start}-${end}/${bytes.byteLength}` },
  })
}

const withHeaders = (response: Response): Response => {
  // What came from elsewhere, or from nowhere, cannot be built anew.
  if (response.type === 'opaqueredirect' || response.status === 0) return response
  const headers = new Headers(response.headers)
  for (const [field, value] of Object.entries(__HEADERS__)) headers.set(field, value)
  const { status, statusText } = response
  return new Response(response.body, { status, statusText, headers })
}
