/**
 * Matrices of a model by their names: which are tables, which stay float, which are turned, which read one value.
 * @module
 */
import type { ModelDescription } from '@awq/models'
import { visionNames } from './file-names.ts'
import type { PortableModel } from './model.ts'

/** What the name of a module's matrix ends in. */
export const WEIGHT = '.weight'

/** Name of the module that a weight belongs to. */
export const moduleOf = (name: string): string => name.slice(0, -WEIGHT.length)

/** True for the embedding table and the head's. */
export const isTable = ({ description: { embedding, head } }: PortableModel, name: string): boolean =>
  name === embedding || name === head

/** Full names of the matrices whose checkpoints hold the transpose (Conv1D), which is no `Linear` to other programs. */
export const transposedMatrices = ({ description: { blocks, parameter } }: PortableModel): Set<string> =>
  new Set(
    blocks.flatMap(({ linears }, layer) =>
      linears.flatMap(({ name, transposed }) => (transposed ? [parameter(layer, `${name}${WEIGHT}`)] : [])),
    ),
  )

/** What each linear's matrix lies beside in the store: the value that it reads, by the matrix' full name. */
export const siteNames = ({ blocks, parameter }: ModelDescription): ReadonlyMap<string, string> => {
  const sites = new Map<string, string>()
  for (const [layer, { linears }] of blocks.entries())
    for (const { name, site } of linears) sites.set(parameter(layer, `${name}.weight`), parameter(layer, site))
  return sites
}

/** Modules of the language model with a matrix that stays float, tables left out. */
export const floatModules = (model: PortableModel): string[] => {
  const seeing = visionNames(model.description)
  return [...model.parameters].flatMap(([name, found]) =>
    found.kind === 'float' &&
    found.entry.shape.length === 2 &&
    name.endsWith(WEIGHT) &&
    !isTable(model, name) &&
    !seeing.has(name)
      ? [moduleOf(name)]
      : [],
  )
}
