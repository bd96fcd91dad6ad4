/**
 * A model's matrices by kind: those that play the same part in their blocks and are stored alike.
 * @module
 */
import type { ModelDescription } from '@awq/models'
import { groupsPerRow, type QuantSpec } from '@awq/quantize'
import { elementCount } from '@awq/tensor'

/** What is needed to know of a parameter. */
export type ParameterForm =
  | {
      readonly kind: 'quantized'
      readonly spec: QuantSpec
      readonly shape: readonly [out: number, inputs: number]
      readonly denseColumns: number
    }
  | { readonly kind: 'float'; readonly entry: { readonly dtype: string; readonly shape: readonly number[] } }

/** A model as far as its forms are concerned. */
export interface ModelForms {
  readonly description: ModelDescription
  readonly parameters: ReadonlyMap<string, ParameterForm>
}

/** Matrices of one kind. */
export interface MatrixKind {
  /** Name without its block, experts' numbers as `*`: `mlp.experts.*.up_proj`. */
  readonly name: string
  readonly count: number
  /** `4 bits, group 128, with zero points` or a dtype. */
  readonly form: string
}

/** `4 bits, group 128, with zero points`. */
export const specText = ({ bits, groupSize, symmetric }: QuantSpec): string => {
  const group = groupSize === -1 ? 'one scale per channel' : `group ${groupSize}`
  return `${bits} bits, ${group}, ${symmetric ? 'symmetric' : 'with zero points'}`
}

const formText = (form: ParameterForm): string => {
  if (form.kind === 'float') return form.entry.dtype
  const { spec, denseColumns } = form
  return `${specText(spec)}${denseColumns > 0 ? `, ${denseColumns} columns float16` : ''}`
}

const shapeOf = (form: ParameterForm): readonly number[] => (form.kind === 'quantized' ? form.shape : form.entry.shape)

/** The kinds of matrices of a model in the order in which they come; vectors are left out. */
export const matrixKinds = ({ description, parameters }: ModelForms): MatrixKind[] => {
  const prefix = description.blockName(0).replace(/0$/, '')
  const kinds = new Map<string, { name: string; form: string; count: number }>()
  for (const [parameter, found] of parameters) {
    if (shapeOf(found).length !== 2) continue
    const within = parameter.startsWith(prefix) ? parameter.slice(prefix.length).replace(/^\d+\./, '') : parameter
    const name = within.replace(/\.weight$/, '').replace(/\.\d+\./g, '.*.')
    const form = formText(found)
    const key = `${name} ${form}`
    const kind = kinds.get(key) ?? { name, form, count: 0 }
    kind.count++
    kinds.set(key, kind)
  }
  return [...kinds.values()]
}

const floatBits: Readonly<Record<string, number>> = { F64: 64, F32: 32, F16: 16, BF16: 16, F8_E4M3: 8, F8_E5M2: 8 }

/** Bits of a matrix: codes, scales of 16 bits, zero points, and columns that stay in 16 bits. */
const bitsOf = (form: ParameterForm): number => {
  if (form.kind === 'float') return elementCount(form.entry.shape) * (floatBits[form.entry.dtype] ?? 32)
  const { spec, shape, denseColumns } = form
  const [out, inputs] = shape
  const groups = groupsPerRow(spec.groupSize, inputs)
  return out * (inputs * spec.bits + groups * (16 + (spec.symmetric ? 0 : spec.bits)) + denseColumns * 16)
}

/** Bytes of a parameter whose codes lie side by side, without what a format adds. */
export const parameterBytes = (form: ParameterForm): number => Math.ceil(bitsOf(form) / 8)

/** Bits per weight over all parameters, scales and zero points included. */
export const bitsPerWeight = ({ parameters }: ModelForms): number => {
  let bits = 0
  let weights = 0
  for (const form of parameters.values()) {
    bits += bitsOf(form)
    weights += elementCount(shapeOf(form))
  }
  return bits / weights
}
