/** The properties whose values are not undefined: for options that must be absent rather than undefined. */
export const defined = <T extends Record<string, unknown>>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  // Object.entries forgets the types of the values.
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }

/** The named properties of an object. */
export const pick = <T, K extends keyof T>(values: T, keys: readonly K[]): Pick<T, K> =>
  // Object.fromEntries forgets which keys it was given.
  Object.fromEntries(keys.map((key) => [key, values[key]])) as Pick<T, K>
