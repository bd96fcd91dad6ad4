/**
 * Proof of the ONNX folders: transformers.js and onnxruntime-genai write the same tokens from them as our runtime from the
 * store. Arguments: stores or float checkpoints (which are rounded to 4 bits first), or none for all tiny checkpoints.
 *
 * In `exact` products every token is the same. In `fast` ones activations are rounded to 8 bits, and the smallest difference
 * before that decides where; where a token differs, the figure is by how much our logits prefer ours.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkHolds, openPortable, writeModel } from '@awq/formats'
import { openFolderWriter } from '@awq/formats/node'
import { messageOf } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { output, pythonWith, transformersJs } from './environments.ts'
import { asked, type Bits, compare, dtypesOf, type Job, type Made, storeOf, tiny } from './generation.ts'

const GENAI = ['onnxruntime-genai==0.18.0', 'numpy']

interface Peer {
  readonly format: string
  readonly dtypes: (files: readonly string[]) => readonly string[]
  readonly generate: (job: Job) => Made
}

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

const peers = (): Peer[] => {
  const root = transformersJs()
  const python = pythonWith('genai', GENAI)
  const run = (program: string, args: readonly string[], job: object): Made =>
    JSON.parse(
      output(program, args, { input: JSON.stringify(job) })
        .trim()
        .split('\n')
        .at(-1)!,
    )
  return [
    {
      format: 'transformersjs',
      dtypes: dtypesOf,
      generate: (job) => run(process.execPath, [script('transformersjs.mjs')], { root, ...job }),
    },
    { format: 'genai', dtypes: () => ['q4'], generate: (job) => run(python, [script('genai.py')], job) },
  ]
}

const scratch = mkdtempSync(join(tmpdir(), 'awq-formats-'))

const prove = async (path: string, bits: Bits): Promise<boolean> => {
  const small = path.startsWith(tiny)
  const store = await storeOf(path, bits, scratch)
  const questions = asked(path)
  let right = true
  for (const peer of peers()) {
    for (const accuracy of ['exact', 'fast'] as const) {
      const folder = join(scratch, `${basename(store)}-${peer.format}-${accuracy}`)
      const label = `${basename(path)} ${bits} bits, ${peer.format}, ${accuracy}`
      await using model = await openPortable(await openFolder(store))
      try {
        await checkHolds(model, peer.format)
      } catch (error) {
        console.log(`${label}: refused, ${messageOf(error)}`)
        break
      }
      await writeModel(model, peer.format, await openFolderWriter(folder), { accuracy })
      const files = readdirSync(join(folder, peer.format === 'genai' ? '' : 'onnx'))
      for (const dtype of peer.dtypes(files)) {
        for (const batch of small && accuracy === 'exact' ? [false, true] : [false]) {
          const what = `${label}, ${dtype}${batch ? ', batch' : ''}`
          try {
            const made = peer.generate({ folder, dtype, batch, ...questions })
            const { same, total, worst } = await compare(store, accuracy, made, questions.tokens)
            const alike = same === total
            if (!alike && accuracy === 'exact' && !dtype.endsWith('f16')) right = false
            const rest = alike ? '' : `, then ours are preferred by ${worst.toFixed(4)}`
            console.log(`${what}: ${same} of ${total} tokens the same${rest}`)
          } catch (error) {
            right = false
            const why = /Error: .*/.exec(messageOf(error))?.[0] ?? messageOf(error)
            console.log(`${what}: FAILED, ${why.slice(0, 300)}`)
          }
        }
      }
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return right
}

/** Proves some models; false when one was not right. */
export const proveGenerators = async (args: readonly string[]): Promise<boolean> => {
  const bits = Number(args.find((arg) => arg.startsWith('--bits='))?.slice(7) ?? 4) as Bits
  const given = args.filter((arg) => !arg.startsWith('--')).map((arg) => resolve(arg))
  const paths =
    given.length > 0
      ? given
      : readdirSync(tiny)
          .sort()
          .map((name) => join(tiny, name))
  let right = true
  try {
    for (const path of paths) right = (await prove(path, bits)) && right
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return right
}
