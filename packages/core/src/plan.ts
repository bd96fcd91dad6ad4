/**
 * Which bits and group every matrix of a model gets: the same for all, or a plan of its own for each site and table.
 * @module
 */
import type { ModelDescription } from '@awq/models'
import { checkSpec, type QuantSpec } from '@awq/quantize'
import { AwqError } from '@awq/tensor'

/** The specs of the linears of one block by base name. */
export type LinearSpecs = ReadonlyMap<string, QuantSpec>

/** How every matrix of a model is stored; plain JSON. */
export interface BitsPlan {
  /** By full parameter name: `model.layers.3.mlp.up_proj.weight`. Every linear has an entry. */
  readonly linears: Readonly<Record<string, QuantSpec>>
  /** The embedding table; null keeps it in 16 bits. */
  readonly embedding: QuantSpec | null
  /** The output head; a tied one is stored of its own where its spec is another than the embedding's. */
  readonly head: QuantSpec | null
}

/** Whether two specs store a matrix in the same way. */
export const sameSpec = (one: QuantSpec | null, other: QuantSpec | null): boolean =>
  one === other ||
  (one !== null &&
    other !== null &&
    one.bits === other.bits &&
    one.groupSize === other.groupSize &&
    one.symmetric === other.symmetric)

const weightName = (description: ModelDescription, layer: number, linear: string): string =>
  description.parameter(layer, `${linear}.weight`)

/** The plan that gives every linear the same spec. */
export const uniformPlan = (
  description: ModelDescription,
  spec: QuantSpec,
  tables: Pick<BitsPlan, 'embedding' | 'head'>,
): BitsPlan => {
  const names = description.blocks.flatMap(({ linears }, layer) =>
    linears.map(({ name }) => weightName(description, layer, name)),
  )
  return { linears: Object.fromEntries(names.map((name) => [name, spec])), ...tables }
}

/** The specs of one block's linears by base name. @throws AwqError `INVALID_ARGUMENT` for a linear without an entry */
export const specsOfLayer = (description: ModelDescription, plan: BitsPlan, layer: number): LinearSpecs =>
  new Map(
    description.blocks[layer]!.linears.map(({ name }) => {
      const full = weightName(description, layer, name)
      const spec = Object.hasOwn(plan.linears, full) ? plan.linears[full] : undefined
      if (!spec) throw new AwqError('INVALID_ARGUMENT', `the plan has no bits for ${full}`)
      return [name, spec]
    }),
  )

/** The spec that most weights of the linears have: what the manifest names as the default. */
export const commonSpec = (description: ModelDescription, plan: BitsPlan): QuantSpec => {
  const weights = new Map<string, { spec: QuantSpec; count: number }>()
  for (const [layer, { linears }] of description.blocks.entries())
    for (const { name, shape } of linears) {
      const spec = plan.linears[weightName(description, layer, name)]!
      const key = JSON.stringify([spec.bits, spec.groupSize, spec.symmetric])
      weights.set(key, { spec, count: (weights.get(key)?.count ?? 0) + shape[0] * shape[1] })
    }
  return [...weights.values()].reduce((best, other) => (other.count > best.count ? other : best)).spec
}

/**
 * Checks a plan against a model and returns it.
 * @throws AwqError `INVALID_ARGUMENT` naming the matrix without bits, with bits that can not be stored, or that reads
 * the same input as another of different bits (one scale search serves both, and their rows are stored as one matrix)
 */
export const checkPlan = (description: ModelDescription, plan: BitsPlan): BitsPlan => {
  const known = new Set<string>()
  for (const [layer, { linears }] of description.blocks.entries()) {
    const specs = specsOfLayer(description, plan, layer)
    const sites = new Map<string, string>()
    for (const { name, site } of linears) {
      const full = weightName(description, layer, name)
      known.add(full)
      checkNamed(full, specs.get(name)!)
      const first = sites.get(site) ?? name
      sites.set(site, first)
      if (!sameSpec(specs.get(first)!, specs.get(name)!))
        throw new AwqError(
          'INVALID_ARGUMENT',
          `${full} and ${weightName(description, layer, first)} read the same input: a plan gives them the same bits`,
        )
    }
  }
  const unknown = Object.keys(plan.linears).find((name) => !known.has(name))
  if (unknown !== undefined) throw new AwqError('INVALID_ARGUMENT', `the plan names ${unknown}, which is no linear`)
  for (const table of ['embedding', 'head'] as const) {
    const spec = plan[table]
    if (spec !== null) checkNamed(table, spec)
    if (spec !== null && spec.bits !== 4 && spec.bits !== 8)
      throw new AwqError('INVALID_ARGUMENT', `${table}: tables are stored in 4, 8 or 16 bits, not ${spec.bits}`)
  }
  return plan
}

const checkNamed = (name: string, spec: QuantSpec): void => {
  try {
    checkSpec(spec)
  } catch (cause) {
    throw new AwqError('INVALID_ARGUMENT', `${name}: ${(cause as Error).message}`, { cause })
  }
}
