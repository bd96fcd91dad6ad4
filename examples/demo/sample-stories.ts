/**
 * Writes the demo's text: stories that the float model makes up, so that text and licence are the project's own.
 *
 *   npm run sample-stories -w @awq/example-demo
 *
 * stories-calibration.txt and stories-evaluation.txt come from different seeds.
 */
import { writeFile } from 'node:fs/promises'
import { loadModel } from '@awq/runtime/node'

const BYTES = 200_000

await using model = await loadModel('../models/stories260k', { accuracy: 'exact', threads: 1 })

const write = async (file: string, firstSeed: number): Promise<void> => {
  let text = ''
  for (let seed = firstSeed; text.length < BYTES; seed++) {
    let story = ''
    for await (const { text: piece } of model.generate(
      { prompt: '' },
      { temperature: 1, topP: 0.95, seed, maxNewTokens: 400 },
    ))
      story += piece
    text += `${story.trim()}\n\n`
  }
  await writeFile(file, text)
  console.log(file, text.length, 'characters')
}

await write('stories-calibration.txt', 1)
await write('stories-evaluation.txt', 100_001)
