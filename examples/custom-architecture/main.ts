/** Adds GPT-J, quantizes a tiny random checkpoint of it, and lets it write. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { quantize } from '@awq/core'
import { registerArchitecture } from '@awq/models'
import { loadModel } from '@awq/runtime/node'
import { gptj } from './gptj.ts'

registerArchitecture(gptj)
const scratch = await mkdtemp(join(tmpdir(), 'awq-gptj-'))
const output = join(scratch, 'out')
const model = fileURLToPath(new URL('fixtures/gptj', import.meta.url))
await quantize({ model, output, bits: 4, groupSize: 32, samples: 8, length: 32 })
const loaded = await loadModel(output)
const { text } = await loaded.generate({ prompt: 'a quick' }, { maxNewTokens: 12 }).result
console.log(JSON.stringify(text))
await loaded.dispose()
await rm(scratch, { recursive: true })
