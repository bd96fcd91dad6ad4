/**
 * Numbers as people read them.
 * @module
 */

const units = ['bytes', 'kB', 'MB', 'GB', 'TB']

/** Bytes in powers of 1000, as disks and downloads are sold: `245 kB`, `1.04 GB`. */
export const byteSize = (bytes: number): string => {
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)))
  const value = bytes / 1000 ** power
  return `${power === 0 || value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${units[power]}`
}

/** A count: `260K`, `135M`, `1.2B`. */
export const largeNumber = (count: number): string => {
  const names = ['', 'K', 'M', 'B', 'T']
  const power = Math.min(names.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, count)) / 3)))
  const value = count / 1000 ** power
  return `${value >= 100 || power === 0 ? value.toFixed(0) : value.toPrecision(2)}${names[power]}`
}

/** A time: `0.42 s`, `8.3 s`, `2 min 5 s`, `1 h 12 min`. */
export const duration = (seconds: number): string => {
  if (seconds < 60) return `${seconds.toFixed(seconds < 1 ? 2 : seconds < 10 ? 1 : 0)} s`
  const whole = Math.round(seconds)
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

/** What an error says. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
