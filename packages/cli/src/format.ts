/** Bytes for people, in decimal units as disks count them: `999 B`, `12.3 kB`, `271 MB`, `1.27 GB`. */
export const formatBytes = (bytes: number): string => {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? String(Math.round(value)) : significant(value, 3)} ${units[unit]}`
}

/** Seconds for people: `0.42 s`, `8.1 s`, `3m 20s`, `2h 05m`. */
export const formatSeconds = (seconds: number): string => {
  if (!Number.isFinite(seconds)) return '?'
  if (seconds < 9.95) return `${seconds.toFixed(seconds < 0.995 ? 2 : 1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const pad = (value: number): string => String(value).padStart(2, '0')
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${pad(whole % 60)}s`
  return `${Math.floor(whole / 3600)}h ${pad(Math.floor((whole % 3600) / 60))}m`
}

/** `digits` significant digits without an exponent for usual magnitudes: `30.99`, `0.121`, `148.0`. */
export const significant = (value: number, digits: number): string => {
  if (!Number.isFinite(value)) return String(value)
  const magnitude = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(Number(value.toPrecision(digits)))))
  if (magnitude < -4 || magnitude > 8) return value.toExponential(digits - 1)
  return value.toFixed(Math.max(0, digits - 1 - magnitude))
}

/** A whole number with thin groups of three: `134 515 008`. */
export const formatCount = (value: number): string => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ' ')

/** A share as a percentage with one decimal: `81.2%`. */
export const formatShare = (share: number): string => `${(share * 100).toFixed(1)}%`

/** A count with its noun: `1 token`, `2 tokens`. */
export const plural = (count: number, noun: string): string => `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`
