// The main job end to end on a real, small model: compare methods, quantize, write a story. Each step is a command of
// `awq`, printed before it runs.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { main } from 'awq'

const here = (path) => relative(process.cwd(), fileURLToPath(new URL(path, import.meta.url))) || '.'
const model = here('../models/stories260k')
const calibration = here('stories-calibration.txt')
const scratch = await mkdtemp(join(tmpdir(), 'awq-demo-'))
const output = join(scratch, 'stories260k-awq')

const step = async (title, args) => {
  console.log(
    `\n${title}\n$ awq ${args.map((arg) => (/[^\w./,:-]/.test(arg) ? JSON.stringify(arg) : arg)).join(' ')}\n`,
  )
  const code = await main(args)
  if (code !== 0) {
    await rm(scratch, { recursive: true, force: true })
    process.exit(code)
  }
}

const calibrationOptions = ['--calibration', calibration, '--samples', '128', '--length', '256', '--group-size', '32']
try {
  await step('How much does rounding to 4 and 3 bits cost, and how much of it do GPTQ and AWQ win back?', [
    ...['compare', model, '--text', here('stories-evaluation.txt'), '--methods', 'rtn,gptq,awq', '--bits', '4,3'],
    ...['--window', '512', '--max-windows', '40', ...calibrationOptions],
  ])
  await step('Quantize the model with AWQ at 4 bits.', ['quantize', model, '-o', output, ...calibrationOptions])
  await step('What is in the folder?', ['inspect', output])
  await step('Let the quantized model write.', [
    ...['run', output, '--prompt', 'Once upon a time, Lily found a key', '--max-new-tokens', '200'],
  ])
} finally {
  await rm(scratch, { recursive: true, force: true })
}
