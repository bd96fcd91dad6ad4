import type { Dim, Shape } from './types.ts'

/** Whether two dimensions are known to differ: both are numbers and not the same one. */
export function contradicts(a: Dim, b: Dim): boolean {
  return typeof a === 'number' && typeof b === 'number' && a !== b
}

/** Whether a dimension is one the builder made up (see `Dim`). */
export function isUnknown(dim: Dim): boolean {
  return typeof dim === 'string' && dim.startsWith('?')
}

/** Of two dimensions that must be equal, the one that says more: a number, else a given name, else an unknown. */
export function better(a: Dim, b: Dim): Dim {
  if (typeof a === 'number') return a
  if (typeof b === 'number') return b
  return isUnknown(a) ? b : a
}

/** A product of dimensions: the known factor and the names, sorted. */
export interface DimProduct {
  readonly factor: number
  readonly names: readonly string[]
}

/** The product of some dimensions, with the names kept apart. */
export function productOf(dims: Shape): DimProduct {
  let factor = 1
  const names: string[] = []
  for (const dim of dims) {
    if (typeof dim === 'number') factor *= dim
    else names.push(dim)
  }
  return { factor, names: names.sort() }
}

/** Names of `from` without those of `remove`, each cancelled once; null when `remove` has a name that `from` lacks. */
export function cancelNames(from: readonly string[], remove: readonly string[]): string[] | null {
  const rest = [...from]
  for (const name of remove) {
    const at = rest.indexOf(name)
    if (at < 0) return null
    rest.splice(at, 1)
  }
  return rest
}

/**
 * The quotient of two products of dimensions, as one dimension: a number, one name, or null when it cannot be written
 * as either. `'inexact'` when the known parts do not divide although every name cancels: the shapes contradict.
 */
export function quotient(total: DimProduct, part: DimProduct): Dim | null | 'inexact' {
  const names = cancelNames(total.names, part.names)
  if (names === null || part.factor === 0) return null
  const factor = total.factor / part.factor
  if (names.length === 0) return Number.isInteger(factor) ? factor : 'inexact'
  return names.length === 1 && factor === 1 ? names[0]! : null
}
