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
  addEventListener(
    type: 'message',
    listener: (event: {
      readonly data: { readonly keep: string }
      readonly ports: readonly MessagePort[]
      waitUntil(work: Promise<unknown>): void
    }) => void,
  ): void
}

const scope = globalThis as unknown as WorkerScope
const base = scope.registration.scope
const prefix = `page ${base} `
const name = `${prefix}${__VERSION__}`
const addressOf = (file: string): string => new URL(file === 'index.html' ? './' : file, base).href
// The build fills the name in once.
const files = __FILES__
const known = new Set(files.map(({ file }) => addressOf(file)))

/** Larger files, which are WebAssembly, are kept when they are used or the page asks for them: nobody needs those of every device. */
const SMALL = 4 * 2 ** 20

/** A file whose name has a hash of its content. */
const hashed = /-[\w-]{8}\.\w+$/

/** Keeps a file, of an earlier version of the page where that has the same. */
const keep = async (url: string): Promise<void> => {
  const cache = await caches.open(name)
  if (await cache.match(url)) return
  const earlier = hashed.test(url) ? await earlierCopy(url) : undefined
  if (earlier) await cache.put(url, earlier)
  else await cache.add(new Request(url, { cache: 'reload' }))
}

const earlierCopy = async (url: string): Promise<Response | undefined> => {
  for (const other of await caches.keys()) {
    const copy = other.startsWith(prefix) && (await (await caches.open(other)).match(url))
    if (copy) return copy
  }
  return undefined
}

scope.addEventListener('install', (event) => {
  const install = async (): Promise<void> => {
    for (const { file, bytes } of files) {
      const url = addressOf(file)
      if (bytes < SMALL || (hashed.test(url) && (await earlierCopy(url)))) await keep(url)
    }
  }
  event.waitUntil(install())
  void scope.skipWaiting()
})

// The page asks to keep a file whose name begins so, and is told whether it is kept.
scope.addEventListener('message', (event) => {
  const { data, ports } = event
  const wanted = [...known].filter((url) => url.slice(url.lastIndexOf('/') + 1).startsWith(`${data.keep}-`))
  const kept = Promise.all(wanted.map(keep)).then(
    () => wanted.length > 0,
    () => false,
  )
  event.waitUntil(kept.then((answer) => ports[0]?.postMessage(answer)))
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
