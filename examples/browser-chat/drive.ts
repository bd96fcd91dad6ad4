/** Tries the built page in headless Chromium: `npm run drive`, after `npm run build`. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { loadModel } from '@awq/runtime/node'
import type { BrowserContextOptions, Page } from 'playwright'
import { openBrowser, serveStatic } from '../browser-shared/drive.ts'

const here = import.meta.dirname
const prompt = 'Lily found a shiny key'

/** What Node writes. */
const expected = async (): Promise<string> => {
  await using model = await loadModel(join(here, '../models/stories260k-4bit'), { accuracy: 'exact' })
  return (await model.generate({ prompt }, { maxNewTokens: 40 }).result).text
}

const begin = async (page: Page, device: RegExp): Promise<void> => {
  await page.getByRole('radio', { name: device }).check()
  await page.getByRole('button', { name: 'Chat' }).first().click()
  const field = page.getByRole('textbox', { name: 'The beginning of a text' })
  await field.or(page.getByRole('alert')).waitFor()
  assert.ok(await field.isVisible(), (await page.getByRole('main').textContent()) ?? '')
}

/** Asks for the likeliest text. */
const ask = async (page: Page): Promise<string> => {
  await page.getByText('Settings').click()
  await page.getByRole('slider', { name: 'Temperature' }).fill('0')
  await page.getByRole('spinbutton', { name: 'Most tokens' }).fill('40')
  await page.getByRole('textbox', { name: 'The beginning of a text' }).fill(prompt)
  await page.keyboard.press('Enter')
  await page.getByRole('list', { name: 'Figures' }).waitFor()
  return (await page.locator('.answer').last().textContent()) ?? ''
}

const text = `${prompt}${await expected()}`
const server = await serveStatic(join(here, 'dist'))
await using chromium = await openBrowser()
const open = async (options: BrowserContextOptions = {}) => {
  const context = await chromium.browser.newContext({ viewport: { width: 1200, height: 800 }, ...options })
  return { context, page: chromium.watch(await context.newPage()) }
}

for (const device of [/WebAssembly/, /WebGPU/]) {
  const { context, page } = await open()
  await page.goto(server.url)
  await begin(page, device)
  assert.equal(await page.evaluate(() => crossOriginIsolated), true, 'the service worker isolates the page')
  assert.equal(await ask(page), text, `the text of ${device} is that of Node`)

  await page.getByRole('spinbutton', { name: 'Most tokens' }).fill('450')
  await page.getByRole('textbox', { name: 'The beginning of a text' }).fill('Once')
  await page.keyboard.press('Enter')
  await page.keyboard.press('Escape')
  await page.getByRole('listitem').getByText('stopped').waitFor()

  await context.setOffline(true)
  await page.reload()
  await begin(page, device)
  assert.equal(await ask(page), text, `${device} works offline`)
  await context.close()
  console.log(`ok  ${device}: the text of Node, a stop, offline`)
}

// A browser that has no service workers: one thread, no headers, the same text.
const { context, page } = await open({ serviceWorkers: 'block' })
await page.goto(server.url)
await begin(page, /WebAssembly/)
assert.equal(await page.evaluate(() => crossOriginIsolated), false)
assert.equal(await ask(page), text)
await context.close()
console.log('ok  without a service worker')

await server[Symbol.asyncDispose]()
assert.deepEqual(chromium.complaints, [])
