/**
 * One line of JSON. Numbers that JSON has no word for become the strings "NaN", "Infinity" and "-Infinity" (never
 * null, which would hide them; Python's `float()` reads them back); typed arrays become arrays; bigints become
 * numbers when exact, else strings; undefined fields are left out.
 */
export const toJsonLine = (value: unknown): string => JSON.stringify(value, replaceValue)

const replaceValue = (_key: string, value: unknown): unknown => {
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (value instanceof Map) return Object.fromEntries(value)
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return Array.from(value as Float32Array)
  return value
}
