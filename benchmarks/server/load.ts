// Clients that ask one request after the other and look at every event of the answers.

/** What the clients do. */
export interface LoadPlan {
  readonly url: string
  readonly clients: number
  /** No request begins after so many seconds. */
  readonly seconds: number
  /** Token ids to take prompts from. */
  readonly ids: readonly number[]
  readonly promptTokens: number
  readonly newTokens: number
  readonly model?: string
}

/** What they saw; milliseconds. */
export interface LoadResult {
  readonly requests: number
  readonly errors: readonly string[]
  readonly tokens: number
  readonly tokensPerSecond: number
  readonly firstToken: { readonly p50: number; readonly p99: number }
  readonly betweenTokens: { readonly p50: number; readonly p99: number }
}

/** The value that a share of all does not exceed. */
export const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN

/** The events of a stream, without their prefix. */
async function* events(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.startsWith('data: ')) yield line.slice(6)
  }
}

/** Runs the clients to the end of their last requests. */
export const runLoad = async (plan: LoadPlan): Promise<LoadResult> => {
  const { url, clients, seconds, ids, promptTokens, newTokens, model = 'model' } = plan
  const firsts: number[] = []
  const gaps: number[] = []
  const errors: string[] = []
  let tokens = 0
  let requests = 0
  const began = performance.now()

  const ask = async (prompt: readonly number[]): Promise<void> => {
    const started = performance.now()
    const response = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{ model, prompt, max_tokens: newTokens, temperature: 0 },
        ...{ stream: true, stream_options: { include_usage: true } },
      }),
    })
    if (!response.ok || !response.body) throw new Error(`${response.status} ${await response.text()}`)
    let last = 0
    let used: number | undefined
    let done = false
    for await (const data of events(response.body)) {
      const now = performance.now()
      if (data === '[DONE]') {
        done = true
        break
      }
      const event = JSON.parse(data) as { choices?: unknown[]; usage?: { completion_tokens: number }; error?: unknown }
      if (event.error) throw new Error(JSON.stringify(event.error))
      if (event.usage) used = event.usage.completion_tokens
      if (!event.choices?.length) continue
      if (last === 0) firsts.push(now - started)
      else gaps.push(now - last)
      last = now
    }
    if (!done || used === undefined) throw new Error('the answer was cut off')
    tokens += used
  }

  let next = 0
  const client = async (): Promise<void> => {
    while (performance.now() - began < 1000 * seconds) {
      const at = (next++ * 97) % Math.max(1, ids.length - promptTokens)
      requests++
      try {
        await ask(ids.slice(at, at + promptTokens))
      } catch (error) {
        errors.push(String(error))
      }
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  const elapsed = (performance.now() - began) / 1000
  const both = (values: number[]) => {
    values.sort((a, b) => a - b)
    return { p50: quantile(values, 0.5), p99: quantile(values, 0.99) }
  }
  const rates = { firstToken: both(firsts), betweenTokens: both(gaps) }
  return { requests, errors, tokens, tokensPerSecond: tokens / elapsed, ...rates }
}
