/**
 * Holds a model that was read to what its config.json describes.
 * @module
 */
import { modelParameters, type ParameterSpec, storedShape } from '@awq/models'
import { AwqError, quoted } from '@awq/tensor'
import { visionNames } from './file-names.ts'
import type { Parameter, PortableModel } from './model.ts'

/** A parameter with what the description says of it. */
export interface DescribedParameter {
  readonly spec: ParameterSpec
  readonly parameter: Parameter
}

const sameShape = (one: readonly number[], other: readonly number[]): boolean =>
  one.length === other.length && one.every((size, axis) => size === other[axis])

/** Those of tower and projector, where the model has any of them: a checkpoint of the language model alone has none. */
const visionParameters = ({ description: { vision }, parameters }: PortableModel): readonly ParameterSpec[] => {
  const specs = vision?.parameters ?? []
  return specs.some(({ name }) => parameters.has(name)) ? specs : []
}

/**
 * The parameters of a model in the description's order: outer ones first, then block by block, then those of tower and
 * projector. Optional ones that the model lacks are left out.
 * @throws AwqError NOT_FOUND for one that is missing, CONFIG for one of another shape, UNSUPPORTED for a tensor that the
 *   description does not know
 */
export const describedParameters = (model: PortableModel): DescribedParameter[] => {
  const { name: source, description, parameters } = model
  const described: DescribedParameter[] = []
  const known = new Set<string>()
  for (const spec of [...modelParameters(description), ...visionParameters(model)]) {
    const { name, optional } = spec
    known.add(name)
    const parameter = parameters.get(name)
    if (!parameter) {
      if (optional) continue
      throw new AwqError(
        'NOT_FOUND',
        `${source} has no tensor ${name}, which its config.json asks for; is it complete?`,
      )
    }
    const [shape, wanted] =
      parameter.kind === 'quantized' ? [parameter.shape, spec.shape] : [parameter.entry.shape, storedShape(spec)]
    if (!sameShape(shape, wanted))
      throw new AwqError(
        'CONFIG',
        `${source}: ${name} has shape [${shape.join(', ')}], but config.json asks for [${wanted.join(', ')}]`,
      )
    described.push({ spec, parameter })
  }
  for (const name of parameters.keys())
    if (!known.has(name))
      throw new AwqError(
        'UNSUPPORTED',
        `${source}: tensor ${quoted(name)} is not used by a ${description.config.modelType} model as its config.json ` +
          'describes it; leaving it out would give wrong output',
      )
  return described
}

/** Those of the language model alone, for what has no place for how a model sees. */
export const languageParameters = (model: PortableModel): DescribedParameter[] => {
  const seeing = visionNames(model.description)
  return describedParameters(model).filter(({ spec }) => !seeing.has(spec.name))
}
