// The main job end to end on a real, small model: compare methods, quantize, write a story. Each step is a command of
// `awq`, printed before it runs; the quantized model stays for commands of your own.
import { rm } from 'node:fs/promises'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { main } from 'awq'

const here = (path) => relative(process.cwd(), fileURLToPath(new URL(path, import.meta.url))) || '.'
const model = here('../models/stories260k')
const calibration = here('stories-calibration.txt')
const evaluation = here('stories-evaluation.txt')
const output = here('stories260k-4bit')

const quote = (arg) => (/[^\w./,:-]/.test(arg) ? JSON.stringify(arg) : arg)
/** The command as a terminal of 80 columns shows it and a shell reads it. */
const commandLine = (args) => {
  const parts = ['npx awq', ...args.map(quote)].join(' ').split(/ (?=-)/)
  return parts.reduce((text, part) => {
    const last = text.slice(text.lastIndexOf('\n') + 1)
    return `${text}${last.length + part.length > 74 ? ' \\\n    ' : ' '}${part}`
  })
}
const step = async (title, args) => {
  console.log(`\n${title}\n$ ${commandLine(args)}\n`)
  const code = await main(args)
  if (code !== 0) process.exit(code)
}

const calibrationOptions = ['--calibration', calibration, '--samples', '64', '--length', '256', '--group-size', '32']
const prompt = ['--prompt', 'Once upon a time, Lily found a key', '--max-new-tokens', '200']

await step('How much does rounding to 4 and 3 bits cost, and how much of it do GPTQ and AWQ win back?', [
  ...['compare', model, '--text', evaluation, '--methods', 'rtn,gptq,awq', '--bits', '4,3'],
  ...['--window', '512', '--max-windows', '40', ...calibrationOptions],
])
// What an earlier demo left.
await rm(output, { recursive: true, force: true })
await step('Quantize the model with AWQ at 4 bits.', ['quantize', model, '-o', output, ...calibrationOptions])
await step('What is in the folder?', ['inspect', output])
await step('Let the quantized model write.', ['run', output, ...prompt])

console.log(`
The model stays in ${output}. Try:
  ${commandLine(['run', output, '--prompt', 'The dragon said', '--temperature', '0.8'])}
  ${commandLine(['eval', output, '--text', evaluation, '--against', model])}
  npx awq --help`)
