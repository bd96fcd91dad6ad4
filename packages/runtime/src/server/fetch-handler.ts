import { createApp } from './app.ts'
import { type HandlerOptions, handlerSettings } from './settings.ts'

/**
 * The API as a function of Web-standard requests, for servers that take such: `app.mount('/', handler)` of hono,
 * `export const POST = handler` of Next.js, `getRequestListener(handler)` of @hono/node-server for Express.
 * @throws AwqError INVALID_ARGUMENT for options out of range
 */
export const toFetchHandler = (options: HandlerOptions): ((request: Request) => Promise<Response>) => {
  const app = createApp(handlerSettings(options))
  return (request) => app.fetch(request)
}
