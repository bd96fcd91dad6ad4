import { type Exchange, jsonResponse } from './exchange.ts'

/** `GET /health`: 200 while requests are taken, 503 when the server is being stopped. */
export const health = async ({ stopping }: Exchange): Promise<Response> =>
  stopping() ? jsonResponse({ status: 'stopping' }, 503) : jsonResponse({ status: 'ok' })
