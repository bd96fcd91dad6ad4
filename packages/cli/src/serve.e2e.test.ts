import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startAwq } from './fixtures/spawn.ts'

const model = fileURLToPath(new URL('../../../examples/models/stories260k', import.meta.url))

/** The address in the first line that has one. */
const address = (child: ReturnType<typeof startAwq>['child']): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = ''
    child.stdout.on('data', (more: string) => {
      text += more
      const [url] = /http:\/\/[\w.:]+/.exec(text) ?? []
      if (url) resolve(url)
    })
    child.on('close', () => reject(new Error('it ended before it listened')))
  })

const complete = async (url: string, name: string): Promise<unknown> => {
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: name, prompt: 'Once upon', max_tokens: 4, temperature: 0 }),
  })
  return (await response.json()).choices[0].text
}

describe('awq serve', () => {
  it('says where it listens, answers, and ends with 0 on SIGTERM', async () => {
    const { child, done } = startAwq(['serve', `a=${model}`, model, '--port', '0', '--json', '--log-level', 'silent'])
    const url = await address(child)
    expect(await complete(url, 'a')).toBe(await complete(url, 'stories260k'))
    child.kill('SIGTERM')
    const { code, events, stderr } = await done
    expect(code).toBe(0)
    expect(events.find(({ type }) => type === 'listening')).toEqual({
      type: 'listening',
      url,
      models: ['a', 'stories260k'],
    })
    expect(events.at(-1)).toEqual({ type: 'done' })
    expect(stderr).not.toMatch(/warning|Once upon/)
  }, 60_000)

  it('warns where others may ask without a key, logs prompts and leaves out the page when it is told to', async () => {
    const args = ['--host', '0.0.0.0', '--port', '0', '--no-page', '--log-prompts', '--no-spin', '--max-batch', '256']
    const { child, done } = startAwq(['serve', model, ...args])
    const url = (await address(child)).replace('0.0.0.0', '127.0.0.1')
    await complete(url, 'stories260k')
    expect((await fetch(`${url}/`)).status).toBe(404)
    child.kill('SIGTERM')
    const { stderr } = await done
    expect(stderr).toMatch(/warning: whoever reaches 0\.0\.0\.0 may ask, for there is no key; set AWQ_API_KEY/)
    expect(stderr).toMatch(/"prompt":"Once upon".*"answers":\[/)
  }, 60_000)

  it.each([1, 2])('finds a port that is taken before models are loaded, with %i workers', async (workers) => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void other.close())
    const { port } = other.address() as AddressInfo
    const { code, stderr } = await startAwq(['serve', 'none', '--port', `${port}`, '--workers', `${workers}`]).done
    expect(stderr).toMatch(/another program listens there; choose another port/)
    expect(code).toBe(1)
  })

  it('says which models take fewer tokens than are wished for', async () => {
    const args = ['--port', '0', '--context-length', '700', '--log-level', 'silent']
    const { child, done } = startAwq(['serve', `small=${model}`, ...args])
    await address(child)
    child.kill('SIGTERM')
    const { code, stderr } = await done
    expect(stderr).toMatch(/warning: small takes 512 tokens, fewer than --context-length 700/)
    expect(code).toBe(0)
  }, 60_000)

  it('answers by several processes, and replaces none of them when it is stopped', async () => {
    const { child, done } = startAwq(['serve', model, '--port', '0', '--workers', '2'])
    const url = await address(child)
    await Promise.all([complete(url, 'stories260k'), complete(url, 'stories260k')])
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/awq_requests_total\{[^}]*status="200"\} 2/)
    child.kill('SIGTERM')
    const { code, stdout, stderr } = await done
    expect([code, stdout]).toEqual([0, `listening on ${url}\n`])
    expect(stderr).not.toContain('another one is started')
  }, 60_000)

  it.each<[string, string[], RegExp, number]>([
    ['two models of one name', [model, model], /both be called stories260k/, 2],
    ['a port that is none', [model, '--port', '70000'], /--port must be at most 65535/, 2],
    ['more at a time than a batch takes', [model, '--max-batch', '257'], /--max-batch must be at most 256/, 2],
    ['no model', [], /MODEL is missing/, 2],
    // There is no such model: it is not looked for.
    ['a key with a blank', ['none', '--api-key', 'a b', '--port', '0'], /API key must be of visible/, 1],
    ['a host that is not here', ['none', '--host', '192.0.2.1', '--port', '0'], /Cannot listen on 192\.0\.2\.1/, 1],
    ['a host of images that is none', ['none', '--allow-image-host', 'a/b', '--port', '0'], /a\/b/, 1],
  ])('refuses %s', async (_, args, message, expected) => {
    const { code, stderr } = await startAwq(['serve', ...args]).done
    expect(stderr).toMatch(message)
    expect(code).toBe(expected)
  })
})
