import { AwqError } from '@awq/tensor'
import { isUnknown } from './dims.ts'
import type { Dim, Shape } from './types.ts'

const valueName = /^[A-Za-z_][\w.:/-]*$/
const dimName = /^[A-Za-z_][\w.:/ +*-]*$/

/** Throws INVALID_ARGUMENT unless `name` may name a graph, node or value: a letter or `_`, then also digits and `.:/-`. */
export function checkName(name: string, what: string): void {
  if (typeof name !== 'string' || !valueName.test(name) || name.length > 500) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `${what} ${JSON.stringify(name)} is not a name: use a letter or _, then letters, digits and _.:/- (at most 500)`,
    )
  }
}

/**
 * Throws INVALID_ARGUMENT unless every dimension is a non-negative integer or a name. Unknown dimensions (`?1`) mean
 * something only in the graph that made them, so they are refused where a shape comes in from outside.
 */
export function checkShape(shape: Shape, what: string, unknowns: 'refused' | 'allowed' = 'refused'): void {
  for (const dim of shape) {
    const right =
      typeof dim === 'number'
        ? Number.isSafeInteger(dim) && dim >= 0
        : dimName.test(dim) || (unknowns === 'allowed' && isUnknown(dim))
    if (!right) {
      throw new AwqError(
        'INVALID_ARGUMENT',
        `${what}: ${JSON.stringify(dim)} of [${shape.join(', ')}] is not a dimension`,
      )
    }
  }
}

/** The number of elements of a shape without names; throws INVALID_ARGUMENT on a name or past 2^53. */
export function elementsOf(shape: readonly Dim[], what: string): number {
  checkShape(shape, what)
  let count = 1
  for (const dim of shape) {
    if (typeof dim === 'string') {
      throw new AwqError('INVALID_ARGUMENT', `${what}: [${shape.join(', ')}] must have sizes only, no names`)
    }
    count *= dim
  }
  if (!Number.isSafeInteger(count)) {
    throw new AwqError('INVALID_ARGUMENT', `${what}: [${shape.join(', ')}] has more than 2^53 elements`)
  }
  return count
}
