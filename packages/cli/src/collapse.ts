/** Things of equal shape whose names differ in the numbers of layers and experts only. */
export interface Family<T> {
  /** The name with each differing number replaced by the range it covers: `model.layers.0-29.mlp.up_proj.weight`. */
  readonly name: string
  readonly members: readonly T[]
}

/**
 * Groups items whose names are equal but for path components that are numbers, and whose `key` is equal; in the order
 * of their first member.
 */
export const collapse = <T>(
  items: readonly T[],
  nameOf: (item: T) => string,
  key: (item: T) => string,
): Family<T>[] => {
  const families = new Map<string, T[]>()
  for (const item of items) {
    const pattern = `${nameOf(item).replace(/(?<=^|\.)\d+(?=\.|$)/g, '*')}\n${key(item)}`
    families.set(pattern, [...(families.get(pattern) ?? []), item])
  }
  return [...families.values()].map((members) => ({ name: rangeName(members.map(nameOf)), members }))
}

const rangeName = (names: readonly string[]): string => {
  const split = names.map((name) => name.split('.'))
  const first = split[0] ?? []
  return first
    .map((component, index) => {
      const all = split.map((parts) => parts[index] ?? '')
      if (all.every((other) => other === component)) return component
      const numbers = [...new Set(all.map(Number))].sort((a, b) => a - b)
      const [least = 0, most = 0] = [numbers[0], numbers[numbers.length - 1]]
      return most - least + 1 === numbers.length ? `${least}-${most}` : `${least}..${most}`
    })
    .join('.')
}
