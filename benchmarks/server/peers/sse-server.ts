// A peer behind hono: POST /v1/completions with token ids, answered as the API of OpenAI streams, one event a token.
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'

/** What a peer is started with, as JSON in its only argument. */
export interface ServerJob {
  /** The model's file or folder, in the peer's own format. */
  readonly model: string
  readonly threads: number
  /** Generations at a time, where the peer can. */
  readonly parallel: number
  /** Tokens of each at most. */
  readonly context: number
  /** The folder whose node_modules has the peer. */
  readonly peers: string
}

export const readServerJob = (): ServerJob => JSON.parse(process.argv[2]!) as ServerJob

/** Answers requests by `write`, greedily, and prints the URL as `awq serve --json` does. */
export const serveTokens = (
  write: (ids: readonly number[], count: number, signal: AbortSignal) => AsyncIterable<unknown>,
): void => {
  const app = new Hono()
  app.post('/v1/completions', async (context) => {
    const { prompt, max_tokens: count } = (await context.req.json()) as { prompt: number[]; max_tokens: number }
    const controller = new AbortController()
    return streamSSE(context, async (stream) => {
      stream.onAbort(() => controller.abort())
      let tokens = 0
      for await (const _ of write(prompt, count, controller.signal)) {
        tokens++
        await stream.writeSSE({ data: JSON.stringify({ choices: [{ index: 0, text: 'x', finish_reason: null }] }) })
      }
      await stream.writeSSE({ data: JSON.stringify({ choices: [], usage: { completion_tokens: tokens } }) })
      await stream.writeSSE({ data: '[DONE]' })
    })
  })
  serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
    console.log(JSON.stringify({ type: 'listening', url: `http://127.0.0.1:${port}` })),
  )
}
