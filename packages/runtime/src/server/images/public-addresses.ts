/**
 * Addresses of the internet, told from those of this machine and of private networks.
 * @module
 */
import { type LookupOptions, lookup } from 'node:dns'
import { BlockList, isIPv4, isIPv6, type LookupFunction } from 'node:net'

/** Networks of IPv4 with a purpose of their own: IANA's registry of special-purpose addresses. */
const special: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]

const specialV4 = new BlockList()
for (const [network, prefix] of special) specialV4.addSubnet(network, prefix, 'ipv4')

/** Of IPv6, the global unicast addresses, without those for documents and those that wrap one of IPv4. */
const globalV6 = new BlockList()
globalV6.addSubnet('2000::', 3, 'ipv6')
const specialV6 = new BlockList()
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  specialV6.addSubnet(network, prefix, 'ipv6')

/** Whether a text is an address of the internet. */
export const isPublicAddress = (address: string): boolean =>
  isIPv6(address)
    ? globalV6.check(address, 'ipv6') && !specialV6.check(address, 'ipv6')
    : isIPv4(address) && !specialV4.check(address, 'ipv4')

/** A name that leads to an address that is not of the internet. */
export class PrivateAddress extends Error {
  constructor(hostname: string, address: string) {
    super(`${hostname} has the address ${address}, which is of a private network`)
  }
}

/** Looks a name up for a connection, which is then made to what was looked at and nothing else. */
export const lookUpPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...(options as LookupOptions), all: true }, (error, addresses) => {
    if (error) return callback(error, [])
    const wrong = addresses.find(({ address }) => !isPublicAddress(address))
    if (wrong) return callback(new PrivateAddress(hostname, wrong.address), [])
    const [first] = addresses
    if (options.all || !first) callback(null, addresses)
    else callback(null, first.address, first.family)
  })
}
