/**
 * A model that sees, from a checkpoint to an answer: its language part in 4 bits, its vision tower as it was, a question about a picture.
 *
 *   npm start -w @awq/example-vision -- [MODEL] [OUTPUT] [IMAGE] [QUESTION]
 *
 * OUTPUT is a new folder.
 */
import { quantize } from '@awq/core'
import { loadModel } from '@awq/runtime/node'

const here = (path: string): string => new URL(path, import.meta.url).pathname
const [
  model = here('../models/tiny-smolvlm'),
  output = 'seeing-4bit',
  image = here('kite.png'),
  question = 'What is in this picture?',
] = process.argv.slice(2)

await quantize({
  model,
  output,
  bits: 4,
  // The rows of the toy are 32 wide; real models take the default of 128.
  groupSize: model.endsWith('tiny-smolvlm') ? 16 : 128,
  calibration: here('../demo/stories-calibration.txt'),
  samples: 16,
  length: 128,
  onProgress: (event) => {
    if (event.type === 'warning') console.error(`warning: ${event.message}`)
    if (event.type === 'layer') console.error(`layer ${event.layer + 1} of ${event.layers}`)
  },
})

await using loaded = await loadModel(output, { accuracy: 'exact' })
const messages = [
  {
    role: 'user',
    content: [
      { type: 'image', image },
      { type: 'text', text: question },
    ],
  },
]
const generation = loaded.generate({ messages }, { maxNewTokens: 60 })
for await (const { text } of generation) process.stdout.write(text)
const { promptTokens, newTokens, seconds } = await generation.result
console.error(`\n${promptTokens} tokens of picture and question, ${newTokens} of answer, ${seconds.toFixed(2)} s`)
