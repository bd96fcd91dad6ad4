/**
 * What vLLM makes of matrices that read one value: one matrix, which takes equal schemes.
 * @module
 */

import type { WriteOptions } from './format.ts'
import { siteNames } from './matrix-names.ts'
import type { PortableModel } from './model.ts'

/** Names that vLLM gives the matrices that it puts together, and the modules that it makes them of. */
export const FUSED_MODULES: Readonly<Record<string, readonly string[]>> = {
  qkv_proj: ['q_proj', 'k_proj', 'v_proj'],
  gate_up_proj: ['gate_proj', 'up_proj'],
}

/** Warns of the first matrices that read one value and have different schemes. @param schemeOf any text that tells schemes apart */
export const warnOfSiblings = (
  model: PortableModel,
  schemeOf: (name: string) => string | undefined,
  { onWarning }: Pick<WriteOptions, 'onWarning'>,
): void => {
  const first = new Map<string, { readonly scheme: string; readonly name: string }>()
  for (const [name, site] of siteNames(model.description)) {
    const scheme = schemeOf(name)
    if (scheme === undefined) continue
    const other = first.get(site)
    if (other && other.scheme !== scheme) {
      onWarning?.(
        `${other.name} and ${name} read one value and are quantized otherwise: transformers loads that, vLLM, which ` +
          'makes one matrix of them, does not',
      )
      return
    }
    first.set(site, { scheme, name })
  }
}
