/** A local HTTP server of some folders, for pages. */
import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
}

/** Serves `/NAME/PATH` from the folder of that name, and an empty page at `/`. */
export const serveFolders = async (folders: Readonly<Record<string, string>>) => {
  const fileOf = (url: string): string | undefined => {
    const [, name = '', ...path] = decodeURIComponent(new URL(url, 'http://localhost').pathname).split('/')
    const root = folders[name]
    const file = root && join(root, ...path)
    return file?.startsWith(root + sep) && statSync(file, { throwIfNoEntry: false })?.isFile() ? file : undefined
  }
  const server = createServer((request, response) => {
    if (request.url === '/')
      return response.setHeader('content-type', 'text/html').end('<!doctype html><title>-</title>')
    const file = fileOf(request.url ?? '')
    if (!file) return response.writeHead(404).end()
    response.writeHead(200, {
      'content-type': types[extname(file)] ?? 'application/octet-stream',
      'content-length': statSync(file).size,
    })
    if (request.method === 'HEAD') return response.end()
    // A page that goes away in the middle of a file is no error.
    return pipeline(createReadStream(file), response).catch(() => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
