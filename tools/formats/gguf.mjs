// What llama.cpp makes of files, by node-llama-cpp. stdin: { root, files, prompts, tokens }; stdout: a JSON line for each file.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const { root, files, prompts, tokens } = JSON.parse(readFileSync(0, 'utf8'))
const { getLlama } = await import(pathToFileURL(createRequire(`${root}/x.js`).resolve('node-llama-cpp')).href)
const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error' })
const lines = []
const last = { generateNext: { probabilities: true, options: { temperature: 0 } } }

for (const file of files) {
  try {
    const model = await llama.loadModel({ modelPath: file })
    const made = []
    for (const prompt of prompts) {
      const ids = typeof prompt === 'string' ? model.tokenize(prompt, true) : prompt
      const context = await model.createContext({ contextSize: 256, threads: 1, flashAttention: false })
      const sequence = context.getSequence()
      const input = ids.map((id, at) => (at === ids.length - 1 ? [id, last] : id))
      const evaluated = await sequence.controlledEvaluate(input)
      const probabilities = Object.fromEntries(evaluated[ids.length - 1].next.probabilities)
      await context.dispose()
      const other = await model.createContext({ contextSize: 256, threads: 1, flashAttention: false })
      const generated = []
      for await (const id of other.getSequence().evaluate(ids, { temperature: 0, yieldEogToken: true })) {
        generated.push(id)
        if (generated.length >= tokens) break
      }
      await other.dispose()
      made.push({ ids: [...ids], generated, probabilities })
    }
    await model.dispose()
    lines.push(JSON.stringify({ made }))
  } catch (error) {
    lines.push(JSON.stringify({ error: String(error).slice(0, 300) }))
  }
}
// Its threads keep the process alive; what is written to a pipe must be gone first.
process.stdout.write(`${lines.join('\n')}\n`, () => process.exit(0))
