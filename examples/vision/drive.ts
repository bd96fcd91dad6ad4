/** Tries the built page in headless Chromium, with a camera that shows a test picture: `npm run drive`, after `npm run build`. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadModel } from '@awq/runtime/node'
import type { BrowserContextOptions, Page } from 'playwright'
import { openBrowser, serveStatic } from '../browser-shared/drive.ts'

const here = import.meta.dirname
const kite = join(here, 'kite.png')
const question = 'what is it'

/** What Node writes about the example. */
const expected = async (): Promise<string> => {
  await using model = await loadModel(join(here, '../models/tiny-smolvlm'), { accuracy: 'exact' })
  const content = [
    { type: 'image', image: kite },
    { type: 'text', text: question },
  ]
  return (await model.generate({ messages: [{ role: 'user', content }] }, { maxNewTokens: 120 }).result).text
}

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).first().click()

const begin = async (page: Page, device: RegExp): Promise<void> => {
  await page.getByRole('radio', { name: device }).check()
  await press(page, 'Look')
  const field = page.getByRole('textbox', { name: 'Your question about the picture' })
  await field.or(page.getByRole('alert')).waitFor()
  assert.ok(await field.isVisible(), (await page.getByRole('main').textContent()) ?? '')
}

const ask = async (page: Page): Promise<string> => {
  const answers = page.getByRole('list', { name: 'Figures' })
  const before = await answers.count()
  await page.getByRole('textbox').fill(question)
  await page.keyboard.press('Enter')
  await answers.nth(before).or(page.locator('.turn-note')).first().waitFor()
  assert.equal(await page.locator('.turn-note').count(), 0, (await page.locator('.turns').textContent()) ?? '')
  await answers.nth(before).waitFor()
  return (await page.locator('.answer').last().textContent()) ?? ''
}

/** Hands a file to the page as a drop or as a paste. */
const give = async (page: Page, kind: 'drop' | 'paste', name: string, bytes: Buffer): Promise<void> => {
  await page.evaluate(
    ({ kind, name, numbers }) => {
      const data = new DataTransfer()
      data.items.add(new File([new Uint8Array(numbers)], name, { type: 'image/png' }))
      const event =
        kind === 'drop'
          ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
          : new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })
      document.body.dispatchEvent(event)
    },
    { kind, name, numbers: [...bytes] },
  )
}

const text = await expected()
assert.ok(text.length > 0)
const server = await serveStatic(join(here, 'dist'))
await using chromium = await openBrowser(['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'])
const open = async (options: BrowserContextOptions = {}) => {
  const context = await chromium.browser.newContext({ viewport: { width: 1200, height: 800 }, ...options })
  const page = chromium.watch(await context.newPage())
  page.setDefaultTimeout(180_000)
  return { context, page }
}

for (const device of [/WebAssembly/]) {
  const { context, page } = await open()
  await page.goto(server.url)
  await begin(page, device)
  assert.equal(await page.evaluate(() => crossOriginIsolated), true, 'the service worker isolates the page')
  assert.ok(await page.getByRole('button', { name: 'Send' }).isDisabled(), 'there is nothing to ask about')
  await press(page, 'Take the example')
  await page.getByRole('region', { name: 'Picture' }).getByRole('img', { name: 'a kite over hills' }).waitFor()
  assert.equal(await ask(page), text, `the answer of ${device} is that of Node`)

  await context.setOffline(true)
  await page.reload()
  await begin(page, device)
  await page.getByLabel('Choose a picture').setInputFiles(kite)
  assert.equal(await ask(page), text, `${device} works offline`)
  await context.close()
  console.log(`ok  ${device}: the answer of Node, offline`)
}

// A phone: the camera, then another picture, in the same conversation.
const { context, page } = await open({ viewport: { width: 390, height: 800 }, hasTouch: true, colorScheme: 'dark' })
await page.goto(server.url)
await begin(page, /WebAssembly/)
await press(page, 'Use the camera')
await press(page, 'Take the picture')
await page.getByRole('region', { name: 'Picture' }).getByRole('img', { name: 'a picture of the camera' }).waitFor()
assert.equal(await page.evaluate(() => document.querySelector('video')), null, 'the camera is off')
assert.ok((await ask(page)).length > 0)
await press(page, 'Use the camera')
await press(page, 'Close the camera')
for (const kind of ['drop', 'paste'] as const) {
  await give(page, kind, `${kind}ped.png`, readFileSync(kite))
  await page
    .getByRole('region', { name: 'Picture' })
    .getByRole('img', { name: `${kind}ped.png` })
    .waitFor()
  assert.equal(await ask(page), text, `a ${kind} is a new conversation about another picture`)
}
await ask(page)
await page.getByText('prompt tokens were still in memory').last().waitFor()
assert.ok(
  await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
  'nothing is wider than a phone',
)
await page.setInputFiles('input[type=file]', {
  name: 'photo.jpg',
  mimeType: 'image/jpeg',
  buffer: Buffer.from('plain text'),
})
await page.getByRole('textbox').fill(question)
await page.keyboard.press('Enter')
await page.getByText('photo.jpg is not an image: it begins with the text').first().waitFor()
console.log('ok  a phone: camera, drop, paste, a second question, a file that is no picture')

// A model that reads text alone is refused.
await press(page, 'Other model')
const files = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'].map((name) => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: readFileSync(join(here, '../models/stories260k', name)),
}))
await page.getByLabel('Choose files').setInputFiles(files)
await page.getByRole('alert').getByText('reads text alone').waitFor()
await context.close()

// No camera: it is said, and a file does as well.
const blind = await open({ permissions: [] })
await blind.page.addInitScript(() => {
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))
})
await blind.page.goto(server.url)
await begin(blind.page, /WebAssembly/)
await press(blind.page, 'Use the camera')
await blind.page.getByRole('alert').getByText('allow it in the browser').waitFor()
await blind.context.close()
console.log('ok  a model for text alone, a camera that is forbidden')

await server[Symbol.asyncDispose]()
assert.deepEqual(chromium.complaints, [])
