/** Runs every example as its reader would, on the model that is in the repository. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createSteps, run } from './steps.ts'

const root = resolve(import.meta.dirname, '..')
const work = mkdtempSync(join(tmpdir(), 'awq-examples-'))
const { step, summary } = createSteps()

const example = (file: string, ...parameters: string[]): boolean =>
  step(file, () =>
    run('node', ['--conditions', '@awq/source', file, ...parameters], { cwd: join(root, 'examples'), echo: true }),
  )

example('custom-quantizer/main.ts')
example('custom-architecture/main.ts')
example(
  'quantize-pipeline/quantize-pipeline.ts',
  'models/stories260k',
  join(work, 'model'),
  'demo/stories-calibration.txt',
)

example('vision/ask.ts', 'models/tiny-smolvlm', join(work, 'seeing'))

/** A page: its build, and a drive through it in Chromium, where that is installed. */
const page = (name: string): void => {
  const cwd = join(root, 'examples', name)
  if (!step(`${name}: build`, () => run('npm', ['run', 'build'], { cwd }))) return
  if (existsSync('/usr/bin/chromium')) step(`${name}: drive`, () => run('npm', ['run', 'drive'], { cwd, echo: true }))
}

page('browser-chat')
page('browser-quantizer')
page('vision')

rmSync(work, { recursive: true, force: true })
process.exitCode = summary()
