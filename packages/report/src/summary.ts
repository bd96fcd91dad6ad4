/**
 * Figures that the page computes from a record.
 * @module
 */
import type { LinearRecord, QuantizationRecord } from '@awq/core'

/** tr(E G E^T) / tr(W G W^T): the share of a linear's output power that is error. */
export interface RelativeErrors {
  readonly before: number
  readonly after: number
}

/** The relative errors of a linear; undefined where none were measured, or its outputs are all zero. */
export const errorsOf = ({ power, lossBefore, lossAfter }: LinearRecord): RelativeErrors | undefined =>
  power !== undefined && lossBefore !== undefined && lossAfter !== undefined && power > 0
    ? { before: lossBefore / power, after: lossAfter / power }
    : undefined

/** The means of the relative errors of some linears, each linear with the same weight. */
export const meanErrors = (linears: readonly LinearRecord[]): RelativeErrors | undefined => {
  const errors = linears.flatMap((linear) => errorsOf(linear) ?? [])
  if (errors.length === 0) return undefined
  const mean = (key: keyof RelativeErrors) => errors.reduce((sum, error) => sum + error[key], 0) / errors.length
  return { before: mean('before'), after: mean('after') }
}

/** The share of the error before that is gone; negative when there is more. */
export const removedShare = ({ before, after }: RelativeErrors): number => (before > 0 ? 1 - after / before : 0)

const weightsOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1)

/** Stored bits for each weight of the linears, and of the whole model; undefined for what a record does not have. */
export const bitsPerWeight = ({ linears, tensors }: QuantizationRecord): { linears?: number; model?: number } => {
  const bits = (parts: readonly (readonly [bytes: number, weights: number])[]): number | undefined => {
    const weights = parts.reduce((sum, [, count]) => sum + count, 0)
    return weights > 0 ? (parts.reduce((sum, [bytes]) => sum + bytes, 0) * 8) / weights : undefined
  }
  const ofLinears = bits(linears.map(({ bytes, shape }) => [bytes, weightsOf(shape)]))
  const ofModel = bits(tensors.map(({ storedBytes, shape }) => [storedBytes, weightsOf(shape)]))
  return {
    ...(ofLinears === undefined ? {} : { linears: ofLinears }),
    ...(ofModel === undefined ? {} : { model: ofModel }),
  }
}

/** The share of groups whose codes cover less than their full range. */
export const clippedShare = (clip: readonly number[]): number => {
  const total = clip.reduce((sum, groups) => sum + groups, 0)
  return total > 0 ? 1 - clip.at(-1)! / total : 0
}

/** Items by a key, in the order in which the keys first come. */
export const groupBy = <T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> => {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(key(item))
    if (group) group.push(item)
    else groups.set(key(item), [item])
  }
  return groups
}

/** `self_attn.q_proj` -> `q_proj`: the last part of a name. */
export const lastPart = (name: string): string => name.split('.').at(-1) || name

const EXPERT = /(?<=\.)\d+(?=\.)/

/** The number of the expert that a linear is of. */
export const expertOf = (name: string): string | undefined => EXPERT.exec(name)?.[0]

/** The name with `*` for the number of an expert: what the experts of a mixture have in common. */
export const alikeName = (name: string): string => name.replace(EXPERT, '*')

/** Names as one word: `q_proj, k_proj, v_proj`; those of experts once for all. */
export const joinNames = (names: readonly string[]): string =>
  [...new Set(names.map(lastPart))].join(', ') + (names.some((name) => expertOf(name)) ? ' of experts' : '')

/** `expert 3: `, in front of what is of one expert; empty for others. */
export const expertLabel = (name: string): string => (expertOf(name) ? `expert ${expertOf(name)}: ` : '')

/** Tensors that lie at the same place of every block. */
export interface TensorKind {
  /** The name without its block, and with `*` for an expert: `mlp.up_proj.weight`, `mlp.experts.*.up_proj.weight`. */
  readonly name: string
  readonly count: number
  readonly floatBytes: number
  readonly storedBytes: number
  readonly weights: number
}

/** Tensors summed over blocks, the largest first; those below a half percent of the stored bytes are one kind. */
export const tensorKinds = ({ tensors }: QuantizationRecord): TensorKind[] => {
  const sum = (name: string, members: readonly TensorKind[]): TensorKind => ({
    name,
    count: members.reduce((total, { count }) => total + count, 0),
    floatBytes: members.reduce((total, { floatBytes }) => total + floatBytes, 0),
    storedBytes: members.reduce((total, { storedBytes }) => total + storedBytes, 0),
    weights: members.reduce((total, { weights }) => total + weights, 0),
  })
  const single = tensors.map(
    ({ name, shape, floatBytes, storedBytes }): TensorKind => ({
      // All up to the block's number, which is the first part that is one.
      name: alikeName(name.replace(/^.*?\.\d+\./, '')),
      ...{ count: 1, floatBytes, storedBytes, weights: weightsOf(shape) },
    }),
  )
  const kinds = [...groupBy(single, ({ name }) => name)].map(([name, members]) => sum(name, members))
  const total = kinds.reduce((bytes, { storedBytes }) => bytes + storedBytes, 0)
  const large = kinds.filter(({ storedBytes }) => storedBytes >= total / 200)
  const small = kinds.filter(({ storedBytes }) => storedBytes < total / 200)
  large.sort((a, b) => b.storedBytes - a.storedBytes)
  return small.length > 1 ? [...large, sum('the rest', small)] : [...large, ...small]
}
