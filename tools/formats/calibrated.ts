/**
 * Proof of import: whole models that AutoAWQ, gptqmodel and llm-compressor calibrated and saved. Converted, they have the weights
 * of the program's own dequantization bit for bit and the logits that transformers has with these.
 * Arguments: names of cases (`autoawq llama GEMM`), or of programs; none for all. In the folder that AWQ_FORMAT_MADE names models
 * are kept, and not made again.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { convert } from '@awq/formats'
import { openFolderWriter } from '@awq/formats/node'
import { modelLogits } from '@awq/runtime'
import { messageOf } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { calibratedCases } from './calibrated-cases.ts'
import { output } from './environments.ts'
import { interpreters } from './interpreters.ts'
import { compareWeights } from './qweight-compare.ts'
import { difference } from './tiny-models.ts'

interface Made {
  readonly ids: readonly number[]
  readonly logits: readonly (readonly number[])[]
  /** What the program's own loader computes, where there is one. */
  readonly transformers?: readonly (readonly number[])[]
}

/** @returns whether all agree */
export const proveCalibrated = async (args: readonly string[]): Promise<boolean> => {
  const { AWQ_FORMAT_MADE: given } = process.env
  // gptqmodel leaves its logs where it runs.
  const scratch = given ?? mkdtempSync(join(tmpdir(), 'awq-calibrated-'))
  let good = true
  try {
    for (const { program, label, kind, options, rounded, ordered } of calibratedCases) {
      const name = `${program} ${label}`
      if (args.length > 0 && !args.includes(program) && !args.includes(name)) continue
      const path = join(scratch, name.replaceAll(/\W+/g, '-'))
      if (!existsSync(`${path}.json`)) {
        const { python, script } = interpreters[program]!()
        try {
          output(python, [fileURLToPath(new URL(script, import.meta.url)), kind, path, JSON.stringify(options)], {
            cwd: scratch,
          })
        } catch (error) {
          console.log(`FAIL ${name}: not made, ${messageOf(error).slice(0, 200)}`)
          good = false
          continue
        }
      }
      const made = JSON.parse(readFileSync(`${path}.json`, 'utf8')) as Made
      const warnings: string[] = []
      try {
        const onWarning = (text: string) => warnings.push(text)
        await convert(await openFolder(path), await openFolderWriter(`${path}-awq`), { onWarning })
      } catch (error) {
        console.log(`FAIL ${name}: ${messageOf(error)}`)
        good = false
        continue
      }
      const { equal, differing } = await compareWeights(path, `${path}.safetensors`)
      // What has an order folded in has rows elsewhere, and is equal in the logits only.
      const wrong = differing.filter((place) => !(ordered && place.includes('.mlp.')))
      const ours = await modelLogits(await openFolder(`${path}-awq`), made.ids, { all: true })
      const flat = (rows: readonly (readonly number[] | Float32Array)[]) => rows.flatMap((row) => [...row])
      const apart = difference(flat(made.logits), flat(ours))
      const theirs = made.transformers && difference(flat(made.transformers), flat(ours))
      const right = apart < (rounded ? 2e-3 : 2e-5) && (rounded || wrong.length === 0) && (theirs ?? 0) < 2e-3
      good &&= right
      console.log(
        `${right ? 'ok  ' : 'FAIL'} ${name}: ${equal} parameters equal bit for bit, ${differing.length} not ` +
          `${differing.slice(0, 2).join(', ')}; logits ${apart.toExponential(1)} apart` +
          (theirs === undefined ? '' : `, from its own loader's ${theirs.toExponential(1)}`),
      )
      for (const warning of warnings) console.log(`     ${warning}`)
      rmSync(`${path}-awq`, { recursive: true, force: true })
    }
  } finally {
    if (given === undefined) rmSync(scratch, { recursive: true, force: true })
  }
  return good
}
