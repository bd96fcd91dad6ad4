/**
 * Which architecture table serves which `model_type`.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { Architecture } from './architecture.ts'
import { families } from './families/index.ts'

const tables = new Map<string, Architecture>()

/**
 * Adds a family, so that `describeModel` finds it for every `model_type` it names.
 * @throws AwqError `EXISTS` when another table already serves one of them
 */
export const registerArchitecture = (architecture: Architecture): void => {
  for (const modelType of architecture.modelTypes) {
    if (tables.has(modelType))
      throw new AwqError('EXISTS', `an architecture for model_type "${modelType}" is already registered`)
    tables.set(modelType, architecture)
  }
}

/** Levenshtein distance: insertions, deletions and substitutions that turn `a` into `b`. */
const editDistance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}

/**
 * The table for a `model_type`.
 * @throws AwqError `UNSUPPORTED` for an unknown one, naming the closest known one
 */
export const findArchitecture = (modelType: string): Architecture => {
  const found = tables.get(modelType)
  if (found) return found
  const shown = modelType.slice(0, 64)
  const [closest] = [...tables.keys()].sort((a, b) => editDistance(shown, a) - editDistance(shown, b))
  throw new AwqError(
    'UNSUPPORTED',
    `model_type "${shown}" is not supported; known: ${[...tables.keys()].join(', ')} (closest: ${closest}). ` +
      'Add a family with registerArchitecture from @awq/models (docs/custom-architecture.md)',
  )
}

for (const family of families) registerArchitecture(family)
