/**
 * The tiny checkpoints that families are proven on (tools/fixtures/models/make_families.py), with the logits that
 * transformers computed for them. Those of the folder in AWQ_FAMILY_CHECKPOINTS are proven beside the committed ones.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { waiting } from './waiting.ts'

const committed = fileURLToPath(new URL('../fixtures/models', import.meta.url))

/** One sequence, and the logits after each of its ids. */
export interface GoldenSequence {
  readonly ids: readonly number[]
  readonly logits: readonly (readonly number[])[]
}

/** One checkpoint. */
export interface FamilyCheckpoint {
  readonly name: string
  readonly path: string
  readonly modelType: string
  readonly config: Readonly<Record<string, unknown>>
}

const inFolder = (folder: string): FamilyCheckpoint[] =>
  readdirSync(folder)
    .sort()
    .map((name) => ({ name, path: join(folder, name) }))
    .filter(({ path }) => existsSync(join(path, 'golden.json')))
    .map(({ name, path }) => {
      const config = JSON.parse(readFileSync(join(path, 'config.json'), 'utf8'))
      return { name, path, modelType: config.model_type, config }
    })

/** The checkpoints of this repository. */
export const committedCheckpoints: readonly FamilyCheckpoint[] = inFolder(committed)

const { AWQ_FAMILY_CHECKPOINTS: more } = process.env
const names = new Set(committedCheckpoints.map(({ name }) => name))
const all = [...committedCheckpoints, ...(more ? inFolder(more).filter(({ name }) => !names.has(name)) : [])]

/** Those that must work: all but those that wait, by name or by model type. */
export const readyCheckpoints: readonly FamilyCheckpoint[] = all.filter(
  ({ name, modelType }) => !(name in waiting || modelType in waiting),
)

/** Those that wait, each with what it waits for. */
export const waitingCheckpoints: readonly (FamilyCheckpoint & { readonly reason: string })[] = all.flatMap(
  (checkpoint) => {
    const reason = waiting[checkpoint.name] ?? waiting[checkpoint.modelType]
    return reason === undefined ? [] : [{ ...checkpoint, reason }]
  },
)

/** What transformers computed. */
export const goldenOf = ({ path }: FamilyCheckpoint): readonly GoldenSequence[] =>
  JSON.parse(readFileSync(join(path, 'golden.json'), 'utf8')).sequences

/** The largest difference of two sets of logits, in units of the largest expected one; NaN when one is not a number. */
export const distance = (actual: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]): number => {
  let difference = actual.length === expected.length ? 0 : Number.NaN
  let largest = 0
  expected.forEach((row, i) => {
    for (let j = 0; j < row.length; j++) {
      largest = Math.max(largest, Math.abs(row[j]!))
      difference = Math.max(difference, Math.abs(row[j]! - Number(actual[i]?.[j])))
    }
  })
  return difference / largest
}

/** KL(expected || actual) of the softmax distributions at each position, in nats. */
const divergences = (actual: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]): number[] => {
  const logSoftmax = (row: ArrayLike<number>): number[] => {
    const values = Array.from(row)
    const largest = Math.max(...values)
    const total = Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0)) + largest
    return values.map((value) => value - total)
  }
  return expected.map((row, i) => {
    const [p, q] = [logSoftmax(row), logSoftmax(actual[i]!)]
    return p.reduce((sum, value, j) => sum + Math.exp(value) * (value - q[j]!), 0)
  })
}

/** The mean over positions of KL(expected || actual), in nats. */
export const divergence = (actual: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]): number => {
  const each = divergences(actual, expected)
  return each.reduce((sum, value) => sum + value, 0) / each.length
}

/**
 * The median over positions. With random weights some tokens of a mixture of experts stand between two experts: the least
 * rounding gives them another one, and other logits.
 */
export const medianDivergence = (
  actual: readonly ArrayLike<number>[],
  expected: readonly ArrayLike<number>[],
): number => {
  const each = divergences(actual, expected)
  return each.sort((a, b) => a - b)[each.length >> 1]!
}
