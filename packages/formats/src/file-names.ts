/**
 * What the parameters of a model are called in the files and modules of other programs: models that see hold the language
 * model inside.
 * @module
 */
import type { ModelDescription } from '@awq/models'
import type { PortableModel } from './model.ts'

/** The name of a tensor, or of its module, in files as transformers writes them. */
export const fileNamer =
  ({ fileNames }: Pick<ModelDescription, 'fileNames'>) =>
  (name: string): string => {
    for (const [own, other] of Object.entries(fileNames)) {
      if (name.startsWith(own)) return other + name.slice(own.length)
      // A module is its tensors' name without what follows.
      if (`${name}.` === own) return other.slice(0, -1)
    }
    return name
  }

/**
 * All names by which versions of transformers and vLLM know a module of a model that sees, since the lists of modules in a
 * `quantization_config` are held against their own trees; of other models the one name.
 */
export const moduleNames = (
  description: Pick<ModelDescription, 'fileNames' | 'aliases' | 'vision'>,
  module: string,
): string[] => {
  if (!description.vision) return [module]
  const others = Object.entries(description.aliases).flatMap(([other, own]) =>
    `${module}.`.startsWith(own) ? [(other + `${module}.`.slice(own.length)).slice(0, -1)] : [],
  )
  return [...new Set([module, fileNamer(description)(module), ...others])]
}

/** The parts of a model beside its language model, by the first part of their names: `vision_tower`, `multi_modal_projector`. */
export const visionRoots = ({
  description,
  parameters,
}: Pick<PortableModel, 'description' | 'parameters'>): string[] => [
  ...new Set(
    (description.vision?.parameters ?? []).flatMap(({ name }) =>
      parameters.has(name) && name.includes('.') ? [name.slice(0, name.indexOf('.'))] : [],
    ),
  ),
]

/** Whether a parameter belongs to how a model sees. */
export const visionNames = ({ vision }: Pick<ModelDescription, 'vision'>): ReadonlySet<string> =>
  new Set((vision?.parameters ?? []).map(({ name }) => name))
