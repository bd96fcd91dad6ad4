import { existsSync } from 'node:fs'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { createServer, type ServerOptions } from '../create-server.ts'
import { toFetchHandler } from '../fetch-handler.ts'
import { createRegistry } from '../registry.ts'
import { writingModel } from './fixtures/writing-model.ts'

const executablePath = '/usr/bin/chromium'

const markdown = [
  'Here is **what** ',
  'you asked <img src=x onerror="alert(1)"> for:\n\n',
  '1. one\n2. two\n\n',
  '```js\nconst a = "<b>"\n',
  '```\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n',
  'See [the page](https://example.org/) or ![that](https://example.org/x.png) [bad](javascript:alert(1)).',
]

const plain = writingModel({ answer: () => markdown })

const handler = () => toFetchHandler({ models: { small: plain.model } })

describe('GET /', () => {
  test('is one text that may run itself alone, zipped for those who take it', async () => {
    const response = await handler()(new Request('http://localhost/'))
    const text = await response.text()
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    const policy = response.headers.get('content-security-policy')!
    expect(policy).toContain("default-src 'none'; script-src 'sha256-")
    expect(policy).not.toMatch(/unsafe|https?:|\*/)
    expect(text).not.toMatch(/\s(?:src|srcset|action)=|@import|<link(?! rel="icon" href="data:)/)
    // The script has 52 kB (20 zipped), 14 of them preact and 9 what parses and shows Markdown; the style 10; 60 kB, and 20 zipped, would
    // be had by leaving out one of the settings, conversations or Markdown. More than this is too much to wait for on a slow line.
    expect(text.length).toBeLessThan(64_000)

    const ways: [accepted: string, name: string | null, most: number, unzip: (bytes: Uint8Array) => Uint8Array][] = [
      ['gzip, deflate, br;q=1', 'br', 22_000, brotliDecompressSync],
      ['gzip', 'gzip', 24_500, gunzipSync],
      ['brx, identity', null, 64_000, (bytes) => bytes],
    ]
    for (const [accepted, name, most, unzip] of ways) {
      const sent = await handler()(new Request('http://localhost/', { headers: { 'accept-encoding': accepted } }))
      const bytes = new Uint8Array(await sent.arrayBuffer())
      expect(sent.headers.get('content-encoding')).toBe(name)
      expect(bytes.length).toBeLessThan(most)
      expect(new TextDecoder().decode(unzip(bytes))).toBe(text)
    }

    const etag = response.headers.get('etag')!
    const again = await handler()(new Request('http://localhost/', { headers: { 'if-none-match': etag } }))
    expect([again.status, await again.text()]).toEqual([304, ''])
  })

  test('is not there where it is not wanted', async () => {
    const without = toFetchHandler({ models: { small: plain.model }, page: false })
    expect((await without(new Request('http://localhost/'))).status).toBe(404)
  })
})

describe.skipIf(!existsSync(executablePath))('in Chromium', { timeout: 120_000 }, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
  }, 120_000)
  afterAll(() => browser?.close())

  /** The page of a server, and all that it complained of or asked others for. */
  const open = async (
    server: Omit<ServerOptions, 'models'> & { models?: ServerOptions['models'] },
    context: BrowserContextOptions = {},
  ) => {
    const running = await createServer({ port: 0, models: { small: plain.model }, ...server })
    const page = await browser.newPage({ viewport: { width: 1200, height: 800 }, ...context })
    page.setDefaultTimeout(30_000)
    const complaints: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error' && !/^Failed to load resource/.test(message.text()))
        complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => {
      if (!request.url().startsWith(running.url) && !request.url().startsWith('data:')) complaints.push(request.url())
    })
    onTestFinished(async () => {
      await page.close()
      await running.close({ drainSeconds: 0 })
      expect(complaints).toEqual([])
    })
    await page.goto(running.url)
    return { page, complaints, url: running.url }
  }

  const field = (page: Page) => page.getByRole('textbox', { name: 'Your message' })
  const finished = (page: Page) => page.getByRole('button', { name: 'Copy answer' }).waitFor()
  const focused = (page: Page) =>
    page.evaluate(() => document.activeElement?.textContent?.trim() || document.activeElement?.id)

  test('asks, streams, draws the answer, and says what it cost', async () => {
    const { page } = await open({})
    await field(page).fill('What?')
    await page.keyboard.press('Shift+Enter')
    await page.keyboard.type('Really')
    await page.keyboard.press('Enter')
    const answer = page.getByRole('article', { name: 'Answer' })
    await finished(page)
    expect(await page.getByRole('article', { name: 'You' }).textContent()).toContain('What?\nReally')
    expect(await answer.locator('strong').textContent()).toBe('what')
    expect(await answer.locator('ol > li').allTextContents()).toEqual(['one', 'two'])
    expect(await answer.locator('pre').textContent()).toBe('const a = "<b>"')
    expect(await answer.getByRole('cell').allTextContents()).toEqual(['1', '2'])
    expect(await answer.locator('img, script').count()).toBe(0)
    expect(await answer.locator('a').evaluateAll((links) => links.map((link) => link.getAttribute('href')))).toEqual([
      'https://example.org/',
      'https://example.org/x.png',
    ])
    expect(await answer.textContent()).toContain('<img src=x onerror="alert(1)">')
    expect(await answer.getByRole('list', { name: 'Figures' }).textContent()).toMatch(
      /tokens\/s.*first after.*6 tokens/,
    )
    expect(await field(page).inputValue()).toBe('')
    expect(await page.title()).toContain('What? Really')

    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.getByRole('button', { name: 'Copy code' }).click()
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('const a = "<b>"')
    await page.getByRole('button', { name: 'Copy answer' }).click()
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(markdown.join(''))

    await page.reload()
    await finished(page)
    await page.getByRole('button', { name: 'Settings' }).click()
    await page.getByRole('button', { name: 'Delete all conversations' }).click()
    await page.reload()
    await page.getByRole('heading', { name: 'Ask something' }).waitFor()
  })

  test('Escape stops the answer, at the server too; what has come stays and can be asked for again', async () => {
    const slow = writingModel({
      answer: () => ['one ', 'two ', 'three'],
      pause: (index) => (index < 2 ? 5 : Number.POSITIVE_INFINITY),
    })
    const { page } = await open({ models: { small: slow.model } })
    const answer = page.getByRole('article', { name: 'Answer' })
    for (const stop of [
      () => page.keyboard.press('Escape'),
      () => page.getByRole('button', { name: 'Stop' }).click(),
    ]) {
      await field(page).fill('Count')
      await page.keyboard.press('Enter')
      await answer.getByText('one two').waitFor()
      expect(await answer.getAttribute('aria-busy')).toBe('true')
      await stop()
      await answer.getByText('stopped').waitFor()
      await vi.waitFor(() => expect(slow.running()).toBe(0), { timeout: 10_000 })
      expect(await answer.locator('.markdown').textContent()).toBe('one two')
      await vi.waitFor(async () => expect(await focused(page)).toBe('draft'))
      await page.getByRole('button', { name: 'Edit' }).click()
      expect(await field(page).inputValue()).toBe('Count')
    }
  })

  test('asks for the key that the server wants, keeps it in the tab, and then answers', async () => {
    const { page } = await open({ apiKeys: ['sesame'] })
    await page.getByText('This server asks for a key.').waitFor()
    await page.getByLabel('API key', { exact: true }).last().fill('wrong')
    await page.keyboard.press('Enter')
    await page.getByText('The server does not know this key.').waitFor()
    await page.getByLabel('API key', { exact: true }).last().fill('sesame')
    await page.getByRole('button', { name: 'Use this key' }).click()
    await field(page).fill('Hi')
    await page.keyboard.press('Enter')
    await finished(page)
    expect(await page.evaluate(() => [sessionStorage.getItem('awq.key'), JSON.stringify(localStorage)])).toEqual([
      '"sesame"',
      expect.not.stringContaining('sesame'),
    ])
  })

  test('errors are told in words, and the question can be asked again', async () => {
    const short = writingModel({ answer: () => ['ok'], contextLength: 40 })
    const { page } = await open({ models: { small: short.model } })
    await field(page).fill('x'.repeat(100))
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('The conversation is longer than the model can read.').waitFor()
    await page.getByRole('button', { name: 'Edit' }).click()
    await field(page).fill('x')
    await page.keyboard.press('Enter')
    await finished(page)
    await page.route('**/v1/**', (route) => route.abort())
    await field(page).fill('y')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('The server cannot be reached.').waitFor()
    await page.unroute('**/v1/**')
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByRole('alert').waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Copy answer' }).nth(1).waitFor()
  })

  test('several models, one of which continues texts; parameters reach the server', async () => {
    const prompts: string[] = []
    const stories = writingModel({
      chat: false,
      answer: (prompt) => {
        prompts.push(prompt)
        return [' upon', ' a time']
      },
    })
    const registry = createRegistry({
      models: [
        { name: 'small', load: async () => plain.model, facts: { awq: { bits: 4, bytes: 89_469_760 } } },
        { name: 'stories', load: async () => stories.model },
      ],
    })
    const { page } = await open({ models: registry })
    await page.getByRole('list', { name: 'About small' }).first().getByText('4-bit').waitFor()
    await page.getByRole('combobox', { name: 'Model' }).selectOption('stories')
    const bodies: Record<string, unknown>[] = []
    page.on('request', (request) => request.method() === 'POST' && bodies.push(request.postDataJSON()))
    await page.getByRole('button', { name: 'Settings' }).click()
    await page.getByLabel('Temperature').fill('0.2')
    await page.getByLabel('Seed').fill('7')
    await page.getByLabel('Most tokens').fill('x')
    await page.getByText('A whole number from 1, or nothing.').waitFor()
    await page.getByLabel('Most tokens').fill('30')
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.getByRole('textbox').fill('Once')
    await page.keyboard.press('Enter')
    const answer = page.getByRole('article', { name: 'Answer of stories' })
    await answer.getByText('upon a time').waitFor()
    expect(prompts).toEqual(['Once'])
    // The first question went to the route of conversations if the model was not loaded yet.
    expect(bodies.at(-1)).toMatchObject({ model: 'stories', temperature: 0.2, seed: 7, max_tokens: 30, prompt: 'Once' })
  })

  test('everything is reached by keyboard, in order, and shows that it has the focus', async () => {
    const { page } = await open({})
    await field(page).waitFor()
    // The field has the focus; after it, the page begins anew.
    await page.keyboard.press('Tab')
    const order: (string | undefined)[] = []
    for (let step = 0; step < 8; step++) {
      await page.keyboard.press('Tab')
      order.push(await focused(page))
      const outline = await page.evaluate(() => {
        const element = document.activeElement!
        return getComputedStyle(element.closest('.box') ?? element).outlineStyle
      })
      expect(outline).not.toBe('none')
    }
    expect(order).toEqual([
      'Skip to your message',
      'New conversation',
      'Dark colours',
      'Settings',
      expect.stringContaining('rainbow'),
      expect.stringContaining('poem'),
      expect.stringContaining('git'),
      'draft',
    ])
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await vi.waitFor(async () => expect(await focused(page)).toBe('draft'))
    await page.getByRole('button', { name: 'Settings' }).focus()
    await page.keyboard.press('Enter')
    await vi.waitFor(async () =>
      expect(await page.evaluate(() => document.activeElement?.closest('dialog'))).not.toBe(null),
    )
    await page.keyboard.press('Escape')
    await vi.waitFor(async () => expect(await focused(page)).toBe('Settings'))
  })

  test('roles and names: landmarks, headings, a log of sentences, nothing without a name', async () => {
    const { page } = await open({})
    await field(page).fill('Hi')
    await page.keyboard.press('Enter')
    await finished(page)
    const snapshot = await page.locator('body').ariaSnapshot()
    for (const part of [
      'navigation "Conversations"',
      'banner',
      'main',
      'form "Message"',
      'heading "Hi" [level=1]',
      'log "What the model writes"',
    ]) {
      expect(snapshot).toContain(part)
    }
    const told = await page.getByRole('log').locator('p').allTextContents()
    expect([told[0], told.at(-1)]).toEqual(['Answering.', 'The answer is complete.'])
    expect(told.slice(1, -1).join(' ')).toMatch(/^Here is what you asked.*const a = "<b>".*1, 2.*See the page or that/s)
    await page.getByRole('button', { name: 'Settings' }).click()
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>('button, a, input, select, textarea, [role=group], dialog, nav, form')]
        .filter((element) => {
          const labels = (element as HTMLInputElement).labels?.length ?? 0
          const named = element.ariaLabel || element.getAttribute('aria-labelledby') || labels > 0
          return !named && element.textContent.trim() === ''
        })
        .map((element) => element.outerHTML),
    )
    expect(nameless).toEqual([])
    const ids = await page.evaluate(() => {
      const all = [...document.querySelectorAll('[id]')].map(({ id }) => id)
      const missing = [...document.querySelectorAll('[aria-describedby], [aria-labelledby]')].flatMap((element) =>
        `${element.getAttribute('aria-describedby') ?? ''} ${element.getAttribute('aria-labelledby') ?? ''}`
          .split(' ')
          .filter((id) => id !== '' && !document.getElementById(id)),
      )
      return { twice: all.filter((id, index) => all.indexOf(id) !== index), missing }
    })
    expect(ids).toEqual({ twice: [], missing: [] })
  })

  test.each([
    ['light', 360],
    ['light', 1400],
    ['dark', 360],
    ['dark', 1400],
  ] as const)(
    'every text stands out from its ground and nothing is cut off, %s at %i pixels',
    async (colorScheme, width) => {
      const { page } = await open({}, { colorScheme, viewport: { width, height: 800 } })
      await field(page).fill('Hi')
      await page.keyboard.press('Enter')
      await finished(page)
      await page.getByRole('button', { name: 'Settings' }).click()
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
      expect(await page.evaluate(faintTexts)).toEqual([])
      await page.keyboard.press('Escape')
      const label = colorScheme === 'dark' ? 'Light colours' : 'Dark colours'
      await page.getByRole('button', { name: label }).click()
      const scheme = () => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme)
      await vi.waitFor(async () => expect(await scheme()).toBe(colorScheme === 'dark' ? 'light' : 'dark'))
    },
  )
})

/** Texts whose contrast with the colour behind them is below 4.5 (WCAG 2.2, 1.4.3). Runs in the page. */
const faintTexts = (): string[] => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!
  const luminance = (color: string): { value: number; alpha: number } => {
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = color
    canvas.fillRect(0, 0, 1, 1)
    const [red = 0, green = 0, blue = 0, alpha = 0] = canvas.getImageData(0, 0, 1, 1).data
    const linear = [red, green, blue].map((part) => {
      const share = part / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return { value: 0.2126 * linear[0]! + 0.7152 * linear[1]! + 0.0722 * linear[2]!, alpha }
  }
  const groundOf = (element: Element | null): number => {
    for (let at = element; at; at = at.parentElement) {
      const { value, alpha } = luminance(getComputedStyle(at).backgroundColor)
      if (alpha > 250) return value
    }
    return 1
  }
  const faint: string[] = []
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement!
    if (!node.textContent?.trim() || element.closest('.hidden, .skip, noscript, script, style, :disabled')) continue
    const [one, other] = [luminance(getComputedStyle(element).color).value, groundOf(element)]
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
    if (contrast < 4.5) faint.push(`${node.textContent.trim().slice(0, 40)}: ${contrast.toFixed(2)}`)
  }
  return faint
}
