/** Tries the built page in headless Chromium: `npm run drive`, after `npm run build`. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright'
import { openBrowser, serveStatic } from '../browser-shared/drive.ts'

const here = import.meta.dirname
const server = await serveStatic(join(here, 'dist'))
await using chromium = await openBrowser()
const context = await chromium.browser.newContext({ viewport: { width: 1200, height: 900 } })
const page = chromium.watch(await context.newPage())
page.setDefaultTimeout(180_000)

const choose = async (): Promise<void> => {
  await page.getByRole('button', { name: 'Quantize' }).first().click()
  await page.getByText('become about').waitFor()
}
const press = (name: string) => page.getByRole('button', { name, exact: true }).click()

/** SHA-256 of the weights that the page keeps. */
const hashOf = (of: Page): Promise<string> =>
  of.evaluate(async () => {
    const root = await navigator.storage.getDirectory()
    const folder = await (await root.getDirectoryHandle('quantized')).getDirectoryHandle('stories260k-4bit')
    const file = await (await folder.getFileHandle('model.safetensors')).getFile()
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()))
    return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  })

await page.goto(server.url)
await choose()
await page.getByLabel('Measure perplexity').uncheck()
await press('Quantize')
await page.getByRole('heading', { name: 'is ready' }).waitFor()
const hash = await hashOf(page)
assert.equal(await page.getByRole('row').count(), 6, 'the plot is a table, too')
console.log('ok  quantized')

// Stopped by the button, then by closing the tab; the bytes are those of the run that was not stopped.
await press('Other model')
await choose()
await page.getByText('which will be replaced').waitFor()
await press('Quantize')
await page.getByText('2 of 5').waitFor()
await press('Stop')
await page.getByText('of 5 layers are done').waitFor()
await press('Continue')
await page.getByText('4 of 5').waitFor()
await page.reload()
await choose()
await page.getByText('of 5 layers are done').waitFor()
await page.getByLabel('Measure perplexity').check()
await press('Continue')
await page.getByRole('heading', { name: 'is ready' }).waitFor()
await page.getByText(/layers, \d from before/).waitFor()
assert.equal(await hashOf(page), hash, 'an interrupted run gives the same bytes')
await page.locator('.figure', { hasText: /Perplexity\s*3\.\d\d/ }).waitFor()
console.log('ok  stopped, closed, gone on with: the same bytes')

await press('Let both write')
await page.getByText('tokens/s').nth(1).waitFor()
for (const text of await page.locator('.written').allInnerTexts()) assert.match(text, /^Once upon a time, there was/)
await press('Chat with it')
await press('Once upon a time')
await page.getByRole('list', { name: 'Figures' }).waitFor()
console.log('ok  both write, the new one chats')

await context.setOffline(true)
await page.reload()
await page.getByRole('heading', { name: 'In this browser' }).waitFor()
const files = ['config.json', 'tokenizer.json', 'model.safetensors'].map((name) => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: readFileSync(join(here, '../models/stories260k', name)),
}))
files[2]!.buffer = files[2]!.buffer.subarray(0, 500_000)
await page.getByLabel('Choose files').setInputFiles(files)
await press('Quantize')
await page.getByRole('alert').getByText('model.safetensors').waitFor()
console.log('ok  offline; a damaged file is refused')

await server[Symbol.asyncDispose]()
assert.deepEqual(chromium.complaints, [])
