/**
 * Proof that image files become the same text here and in transformers: `node --conditions @awq/source tools/seeing/prove.ts PYTHON`,
 * PYTHON with transformers 5.23, torch, torchvision and num2words. Every tiny checkpoint that sees is asked about images of odd sizes, modes and
 * orientations, about two and about none; prompts and greedy tokens must be equal.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createEngine } from '@awq/ort'
import { loadModel } from '@awq/runtime/node'

interface Ask {
  readonly images: readonly string[]
  readonly question: string
  readonly prompt: readonly number[]
  readonly ids?: readonly number[]
  readonly error?: string
}

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const pictures = [
  ...['rgb.png', 'grey.png', 'alpha.png', 'orientation-6.jpg', 'palette.png', 'one-pixel.png', 'rgb.jpg', 'cmyk.jpg'],
  ...['orientation-3.jpg', 'grey-16.png', 'frames.gif', 'palette.bmp', 'lossless.webp', 'orientation.png'],
].map((name) => file(`../../packages/image/src/fixtures/images/${name}`))
const TOKENS = 8

const [python = 'python3', ...given] = process.argv.slice(2)
const scratch = mkdtempSync(join(tmpdir(), 'awq-see-'))
let wrong = 0
try {
  const images = given.length > 0 ? given : pictures
  execFileSync(python, [file('see.py'), file('../../test/fixtures/models'), scratch, `${TOKENS}`, ...images], {
    stdio: 'inherit',
  })
  const engine = await createEngine({ threads: 1 })
  for (const name of readdirSync(scratch).sort()) {
    const folder = join(scratch, name)
    const asks: Ask[] = JSON.parse(readFileSync(join(folder, 'asks.json'), 'utf8'))
    await using model = await loadModel(folder, { engine })
    const lines: string[] = []
    let same = 0
    for (const { images: used, question, prompt, ids, error } of asks) {
      const label = used.map((path) => path.split('/').at(-1)).join(' and ') || 'no image'
      if (!ids) {
        lines.push(`${label}: ${error}`)
        continue
      }
      const content = [...used.map((path) => ({ type: 'image', path })), { type: 'text', text: question }]
      const options = { maxNewTokens: TOKENS, ignoreEos: true }
      const own = await model.prepare({ messages: [{ role: 'user', content }] })
      const answer = await model.generate({ messages: [{ role: 'user', content }] }, options).result
      if (own.length === prompt.length && answer.ids.join() === ids.join()) same++
      else
        lines.push(
          `${label}: ${own.length} tokens, then ${answer.ids.join(' ')}; transformers ${prompt.length}, then ${ids.join(' ')}`,
        )
    }
    wrong += asks.filter(({ ids }) => ids).length - same
    console.log([`${same} of ${asks.length} ${name}`, ...lines].join('\n       '))
  }
  await engine.dispose()
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
process.exitCode = wrong === 0 ? 0 : 1
