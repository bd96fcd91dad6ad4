import type { Dim } from '../types.ts'
import type { NodeView } from './row.ts'
import { equalDims } from './shape-rules.ts'

/** The shape an Einsum equation gives: one letter per axis; a letter means one size wherever it stands. No ellipsis. */
export function einsumShape(node: NodeView, equation: string): Dim[] {
  const [left, right, ...rest] = equation.replaceAll(' ', '').split('->')
  const terms = left!.split(',')
  if (rest.length > 0 || ![...terms, right ?? ''].every((term) => /^[A-Za-z]*$/.test(term))) {
    node.fail(`equation '${equation}' is not of the form 'ij,jk->ik' (an ellipsis is not supported)`)
  }
  if (terms.length !== node.inputs.length) node.fail(`equation '${equation}' has ${terms.length} terms`)
  const sizes = new Map<string, Dim>()
  for (const [input, term] of terms.entries()) {
    const shape = node.shape(input)
    if (term.length !== shape.length) node.fail(`term '${term}' of '${equation}' does not name every axis`)
    for (const [axis, letter] of [...term].entries()) {
      const known = sizes.get(letter)
      const size = shape[axis]!
      sizes.set(letter, known === undefined ? size : equalDims(node, known, size, `sizes of '${letter}'`))
    }
  }
  // Without "->" the result has every letter that stands once, in alphabetical order.
  const letters = terms.join('')
  const result =
    right ??
    [...new Set(letters)]
      .filter((x) => letters.split(x).length === 2)
      .sort()
      .join('')
  return [...result].map(
    (letter) => sizes.get(letter) ?? node.fail(`letter '${letter}' of '${equation}' is in no term`),
  )
}
