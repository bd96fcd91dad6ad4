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
// The dialog for a folder is the browser's own; a folder of the private file system stands for what it gives.
await context.addInitScript(() => {
  const pick = async () => (await navigator.storage.getDirectory()).getDirectoryHandle('picked', { create: true })
  Object.assign(globalThis, { showDirectoryPicker: pick })
})
const page = chromium.watch(await context.newPage())
page.setDefaultTimeout(180_000)

const choose = async (): Promise<void> => {
  await page.getByRole('button', { name: 'Quantize' }).first().click()
  await page.getByText('become about').waitFor()
}
const press = (name: string) => page.getByRole('button', { name, exact: true }).click()
const ready = () => page.getByRole('heading', { name: 'is ready' }).waitFor()

/** SHA-256 of the weights that a folder of the page's private file system has. */
const hashOf = (of: Page, path = 'quantized/stories260k-4bit'): Promise<string> =>
  of.evaluate(async (path) => {
    let folder = await navigator.storage.getDirectory()
    for (const name of path.split('/')) folder = await folder.getDirectoryHandle(name)
    const file = await (await folder.getFileHandle('model.safetensors')).getFile()
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()))
    return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  }, path)

/** Lets go of files or a folder of the disk over the page, as a file manager does. */
const drop = async (path: string): Promise<void> => {
  const devtools = await context.newCDPSession(page)
  const data = { items: [], files: [path], dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
    await devtools.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data })
}

await page.goto(server.url)
await choose()
await page.getByLabel('Measure perplexity').uncheck()
await press('Quantize')
await ready()
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
await ready()
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

await press('Back')
await press('Save to a folder')
await page.getByText('Saved.').waitFor()
assert.equal(await hashOf(page, 'picked'), hash)
console.log('ok  saved to a folder')

await press('Other model')
await drop(join(here, '../models/stories260k'))
await page.getByRole('heading', { name: 'stories260k' }).waitFor()
await page.getByLabel('Measure perplexity').uncheck()
await page.getByLabel('Text to calibrate on').setInputFiles(join(here, '../demo/stories-calibration.txt'))
await press('Quantize')
await ready()
assert.notEqual(await hashOf(page), hash, 'other text, other codes')
console.log('ok  a dropped folder, calibrated on text of its own')

const models = await serveStatic(join(here, '../models'), { models: true })
await press('Other model')
await page.getByLabel('Name or address').fill(`${models.url}stories260k/`)
await page.keyboard.press('Enter')
await page.getByText('become about').waitFor()
await page.getByLabel('Measure perplexity').uncheck()
await press('Quantize')
await ready()
assert.equal(await hashOf(page), hash, 'the bytes do not depend on where a model comes from')
await models[Symbol.asyncDispose]()
console.log('ok  a model at an address')

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
// A host without a listing is asked for every file that a model can have.
assert.deepEqual(
  chromium.complaints.filter((complaint) => !/status of 404/.test(complaint)),
  [],
)
