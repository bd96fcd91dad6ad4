/**
 * Proof of compressed-tensors: transformers, with compressed-tensors, has the logits from our folder that our runtime has from
 * the store. Arguments: stores, names of tiny checkpoints, or none for all of
 * these; they are taken in 2, 3, 4 and 8 bits, with one scheme and with all mixed.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openPortable, type PortableModel, writeModel } from '@awq/formats'
import { openFolderWriter } from '@awq/formats/node'
import type { QuantSpec } from '@awq/quantize'
import { modelLogits } from '@awq/runtime'
import { openFolder } from '@awq/tensor/node'
import { output, pythonWith } from './environments.ts'
import { difference, holds, rounded, tinyModel, tinyNames } from './tiny-models.ts'

const PACKAGES = ['torch==2.13.0', 'transformers==5.17.0', 'compressed-tensors==0.19.0', 'accelerate==1.15.0']
const FORMAT = 'compressed-tensors'

const specs: QuantSpec[] = [
  { bits: 4, groupSize: 16, symmetric: false },
  { bits: 3, groupSize: 16, symmetric: true },
  { bits: 2, groupSize: -1, symmetric: false },
  { bits: 8, groupSize: -1, symmetric: true },
]

/** Groups where they divide the row, else the row. */
const fitting = (spec: QuantSpec, width: number): QuantSpec => (width % 16 === 0 ? spec : { ...spec, groupSize: -1 })

const schemes: Readonly<Record<string, (place: number, width: number) => QuantSpec>> = {
  '4 bits': (_, width) => fitting(specs[0]!, width),
  '3 bits': (_, width) => fitting(specs[1]!, width),
  mixed: (place, width) => fitting(specs[place % specs.length]!, width),
}

interface Case {
  readonly label: string
  readonly store: string
  readonly folder: string
  /** How far logits may be apart, by the largest. */
  readonly tolerance: number
  /** What the export says that transformers does not read. */
  readonly warning: string | undefined
}

const FLOAT32 = 1e-5
/** Tables of a real store become float16, which those of tiny models have been already. */
const FLOAT16_TABLES = 2e-3
/** transformers stacks experts in float16, whatever type the model is opened in: half a bit of 11, in every expert. */
const FLOAT16_EXPERTS = 1e-3

const hasExperts = ({ parameters }: PortableModel): boolean =>
  [...parameters].some(([name, { kind }]) => kind !== 'float' && name.includes('.experts.'))

const prompts = [
  [5, 9, 17, 3, 22, 8, 30],
  [11, 4, 27],
]

/** Writes a model both ways; undefined, with a line, when the format refuses it. */
const prepare = async (
  model: PortableModel,
  label: string,
  scratch: string,
  store?: string,
): Promise<Case | undefined> => {
  if (!(await holds(model, FORMAT, label))) return undefined
  const path = join(scratch, label.replaceAll(' ', '-').replaceAll('/', '-'))
  if (store === undefined) await writeModel(model, 'awq', await openFolderWriter(`${path}-awq`))
  const warnings: string[] = []
  await writeModel(model, FORMAT, await openFolderWriter(path), { onWarning: (warning) => warnings.push(warning) })
  const warning = warnings.find((text) => text.includes('transformers 5 reads experts'))
  const tolerance = store !== undefined ? FLOAT16_TABLES : hasExperts(model) ? FLOAT16_EXPERTS : FLOAT32
  return { label, store: store ?? `${path}-awq`, folder: path, tolerance, warning }
}

/** Proves stores, or all tiny checkpoints; false when one was not right. */
export const proveCompressedTensors = async (args: readonly string[]): Promise<boolean> => {
  const python = pythonWith(FORMAT, PACKAGES)
  const scratch = mkdtempSync(join(tmpdir(), 'awq-formats-'))
  const cases: Case[] = []
  let right = true
  try {
    const tiny = tinyNames().filter((name) => args.length === 0 || args.includes(name))
    for (const path of args.filter((arg) => !tiny.includes(arg)).map((arg) => resolve(arg))) {
      await using model = await openPortable(await openFolder(path))
      const found = await prepare(model, basename(path), scratch, path)
      if (found) cases.push(found)
    }
    for (const name of tiny) {
      await using model = await tinyModel(name)
      for (const [scheme, specOf] of Object.entries(schemes)) {
        const found = await prepare(rounded(model, specOf), `${name} ${scheme}`, scratch)
        if (!found) break
        cases.push(found)
      }
    }
    const input = JSON.stringify({ folders: cases.map(({ folder }) => folder), prompts })
    const lines = output(python, [fileURLToPath(new URL('compressed-tensors.py', import.meta.url))], { input })
    const answers = lines.trim().split('\n')
    for (const [i, { label, store, tolerance, warning }] of cases.entries()) {
      const { logits, error } = JSON.parse(answers[i]!) as { logits?: number[][]; error?: string }
      if (!logits) {
        console.log(`${label}: not loaded, ${warning ? `as a warning of the export says: ${warning}` : error}`)
        right &&= warning !== undefined
        continue
      }
      const folder = await openFolder(store)
      let worst = 0
      for (const [at, ids] of prompts.entries()) {
        const [own] = await modelLogits(folder, ids)
        worst = Math.max(worst, difference(own!, logits[at]!))
      }
      const good = worst < tolerance
      right &&= good
      const why = tolerance === FLOAT16_EXPERTS ? ' (experts are float16 there)' : ''
      console.log(
        `${label}: logits differ by ${worst.toExponential(1)} of the largest${why}${good ? '' : ', TOO MUCH'}`,
      )
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return right
}
