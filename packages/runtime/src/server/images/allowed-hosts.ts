import { isIP } from 'node:net'
import { AwqError, quoted } from '@awq/tensor'

/** Whether images may be fetched from a URL. */
export type HostCheck = (url: URL) => boolean

/** What stands for a host in a URL: `[::1]` -> `::1`. */
export const bareHost = (hostname: string): string => hostname.replace(/^\[|\]$/g, '')

/** Hosts that may be on this machine or in a private network: those whose names say so. */
export const isNamedByAddress = (hostname: string): boolean =>
  hostname === 'localhost' || isIP(bareHost(hostname)) !== 0

const refusedEntry = (entry: string): AwqError =>
  new AwqError(
    'INVALID_ARGUMENT',
    `${quoted(entry)} names no host of images: it is a name or an address, with a port where it is not the usual one, such as ` +
      'images.example.com, *.example.com or 10.0.0.7:9000.',
  )

const checkOf = (entry: string): HostCheck => {
  const wild = entry.startsWith('*.')
  const text = wild ? entry.slice(2) : entry
  const url = URL.parse(`http://${text}`)
  if (!url || /[/?#@\\]/.test(text) || url.hostname === '') throw refusedEntry(entry)
  // `http://host:80` forgets its port.
  const [, port = ''] = /:(\d+)$/.exec(text) ?? []
  const { hostname } = url
  return (asked) => {
    const usual = asked.protocol === 'https:' ? '443' : '80'
    const samePort = port === '' ? asked.port === '' : (asked.port || usual) === port
    const sameHost = wild ? asked.hostname.endsWith(`.${hostname}`) : asked.hostname === hostname
    return samePort && sameHost
  }
}

/**
 * A check of URLs by a list of hosts: names and addresses, `*.` before a name for all below it, a port where it is not that of the
 * protocol.
 * @throws AwqError INVALID_ARGUMENT for an entry that is no host
 */
export const createHostList = (entries: readonly string[]): HostCheck => {
  const checks = entries.map(checkOf)
  return (url) => checks.some((check) => check(url))
}
