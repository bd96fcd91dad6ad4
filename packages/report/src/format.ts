/**
 * Figures as people read them.
 * @module
 */

/** What stands where a figure is missing. */
export const MISSING = '–'

/** `digits` significant digits: `30.99`, `0.121`, `1.2e-7`; a dash for what is no finite number. */
export const significant = (value: number, digits = 3): string => {
  const number = Number(value)
  if (!Number.isFinite(number)) return MISSING
  const magnitude = number === 0 ? 0 : Math.floor(Math.log10(Math.abs(Number(number.toPrecision(digits)))))
  return magnitude < -4 || magnitude > 8
    ? number.toExponential(digits - 1)
    : number.toFixed(Math.min(20, Math.max(0, digits - 1 - magnitude)))
}

/** A number of a coarse scale, in at most two decimals: `0`, `0.5`, `0.35`. */
export const plain = (value: number): string =>
  Number.isFinite(value) ? String(Math.round(value * 100) / 100) : MISSING

/** Bytes in decimal units: `999 B`, `12.3 kB`, `271 MB`. */
export const formatBytes = (bytes: number): string => {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = Number(bytes)
  let unit = 0
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000
  return `${unit === 0 && Number.isFinite(value) ? String(Math.round(value)) : significant(value)} ${units[unit]}`
}

/** Seconds: `42 ms`, `8.1 s`, `3m 20s`, `2h 05m`. */
export const formatSeconds = (seconds: number): string => {
  const value = Number(seconds)
  if (!Number.isFinite(value)) return MISSING
  if (value < 0.0995) return `${Math.round(value * 1000)} ms`
  if (value < 9.95) return `${value.toFixed(value < 0.995 ? 2 : 1)} s`
  const whole = Math.round(value)
  if (whole < 60) return `${whole} s`
  const pad = (part: number): string => String(part).padStart(2, '0')
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${pad(whole % 60)}s`
  return `${Math.floor(whole / 3600)}h ${pad(Math.floor((whole % 3600) / 60))}m`
}

/** A share in percent with three significant digits: `0.0312%`, `1.92%`, `64.1%`. */
export const formatShare = (share: number | undefined): string =>
  share === undefined || !Number.isFinite(Number(share)) ? MISSING : `${significant(Number(share) * 100)}%`

/** A share in whole percent: `41%`; `<1%` for what would round to none. */
export const formatWholeShare = (share: number): string => {
  const percent = Math.round(Number(share) * 100)
  if (!Number.isFinite(percent)) return MISSING
  return percent === 0 && share > 0 ? '<1%' : `${percent}%`
}

/** A whole number with thin groups of three: `134 515 008`. */
export const formatCount = (value: number): string => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f')

/** A count with its noun: `1 token`, `2 tokens`. */
export const plural = (count: number, noun: string): string => `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`
