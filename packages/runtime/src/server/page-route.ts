import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { brotliCompress, gzip } from 'node:zlib'
import { pageParts } from '#page'
import { ApiError } from './api-error.ts'
import type { Exchange } from './exchange.ts'
import { pageHtml } from './page/template.ts'

/** The page as it is sent. */
interface SentPage {
  readonly text: string
  /** By the names that `accept-encoding` has for them, the smallest first. */
  readonly encodings: readonly (readonly [name: string, bytes: Uint8Array<ArrayBuffer>])[]
  readonly headers: Readonly<Record<string, string>>
}

const digest = (text: string): string => createHash('sha256').update(text).digest('base64')

/**
 * Nothing but the page's own script and style runs, and it talks to this server alone; a text of a model can neither load
 * anything nor become markup.
 */
const contentPolicy = (script: string, style: string): string =>
  [
    "default-src 'none'",
    `script-src 'sha256-${digest(script)}'`,
    `style-src 'sha256-${digest(style)}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')

const preparePage = async (): Promise<SentPage> => {
  const parts = await pageParts()
  const text = pageHtml(parts)
  return {
    text,
    encodings: [
      ['br', new Uint8Array(await promisify(brotliCompress)(text))],
      ['gzip', new Uint8Array(await promisify(gzip)(text, { level: 9 }))],
    ],
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': contentPolicy(parts.script, parts.style),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cache-control': 'no-cache',
      etag: `W/"${digest(text).slice(0, 22)}"`,
      vary: 'accept-encoding',
    },
  }
}

let prepared: Promise<SentPage> | undefined

/** `GET /`: the chat page. It holds nothing of the models, so that it needs no key. @throws ApiError 404 without a page */
export const chatPage = async ({ request, settings }: Exchange): Promise<Response> => {
  if (!settings.page) throw new ApiError(404, 'This server has no page.', { code: 'not_found' })
  prepared ??= preparePage().catch((error: unknown) => {
    prepared = undefined
    throw error
  })
  const { text, encodings, headers } = await prepared
  if (request.headers.get('if-none-match')?.includes(headers.etag ?? ''))
    return new Response(null, { status: 304, headers })
  const accepted = (request.headers.get('accept-encoding') ?? '').split(',').map((part) => part.split(';')[0]?.trim())
  const found = encodings.find(([name]) => accepted.includes(name))
  return found
    ? new Response(found[1], { headers: { ...headers, 'content-encoding': found[0] } })
    : new Response(text, { headers })
}
