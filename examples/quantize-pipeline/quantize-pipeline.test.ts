import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadModel } from '@awq/runtime/node'
import { afterAll, beforeAll, expect, test } from 'vitest'

const path = (file: string) => fileURLToPath(new URL(file, import.meta.url))

let scratch: string
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'awq-pipeline-'))
})
afterAll(() => rm(scratch, { recursive: true, force: true }))

/** Runs the example; `interruptAt` sends Ctrl-C when stderr says so. */
const pipeline = (args: readonly string[], interruptAt?: string) =>
  new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve, reject) => {
    const child = spawn(process.execPath, ['--conditions=@awq/source', path('quantize-pipeline.ts'), ...args])
    let stdout = ''
    let stderr = ''
    let interrupted = false
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      stdout += piece
    })
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      stderr += piece
      if (interruptAt === undefined || interrupted || !stderr.includes(interruptAt)) return
      interrupted = child.kill('SIGINT')
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })

test('stops at Ctrl-C, goes on where it stopped, and writes a model that runs', async () => {
  const output = join(scratch, 'model')
  const args = [path('../models/stories260k'), output, path('../demo/stories-calibration.txt')]
  const stopped = await pipeline(args, 'block 2 of 5')
  expect(stopped.code, stopped.stderr).toBe(130)
  expect(stopped.stdout).toBe('')
  expect(stopped.stderr).toContain('interrupted; run the same command again to go on')
  expect(stopped.stderr).not.toContain('block 5 of 5')

  const resumed = await pipeline(args)
  expect(resumed.code, resumed.stderr).toBe(0)
  const result = JSON.parse(resumed.stdout) as { layers: number; resumedLayers: number }
  expect(result.resumedLayers).toBeGreaterThanOrEqual(2)
  expect(result.layers + result.resumedLayers).toBe(5)
  expect(resumed.stderr).not.toContain('block 1 of 5')
  expect(resumed.stderr).toContain('block 5 of 5')

  await using model = await loadModel(output)
  const { newTokens } = await model.generate({ prompt: 'Once upon a time' }, { maxNewTokens: 8 }).result
  expect(newTokens).toBe(8)

  const again = await pipeline(args)
  expect([again.code, again.stdout]).toEqual([1, ''])
  expect(again.stderr).toContain('holds a finished model')
}, 120_000)

test('says how it is used', async () => {
  const { code, stderr } = await pipeline([])
  expect(code).toBe(2)
  expect(stderr).toContain('MODEL OUTPUT [CALIBRATION]')
})
