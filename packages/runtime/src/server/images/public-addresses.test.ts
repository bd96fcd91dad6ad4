import { expect, test } from 'vitest'
import { isPublicAddress } from './public-addresses.ts'

test.each([
  '8.8.8.8',
  '1.1.1.1',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '192.167.1.1',
  '223.255.255.255',
  '2606:4700::1111',
  '2a00:1450:4001::8a',
])('%s is of the internet', (address) => {
  expect(isPublicAddress(address)).toBe(true)
})

test.each([
  ['this host', '0.0.0.0'],
  ['a private network', '10.0.0.1'],
  ['a private network', '172.16.0.1'],
  ['a private network', '172.31.255.255'],
  ['a private network', '192.168.1.1'],
  ['a carrier', '100.64.0.1'],
  ['this machine', '127.0.0.1'],
  ['this machine', '127.255.0.9'],
  ['what a cloud tells its machines', '169.254.169.254'],
  ['documents', '203.0.113.7'],
  ['groups', '224.0.0.1'],
  ['everybody', '255.255.255.255'],
  ['nothing', '::'],
  ['this machine', '::1'],
  ['this machine, as IPv6', '::ffff:127.0.0.1'],
  ['a private network, as IPv6', '::ffff:a00:1'],
  ['an address of IPv4, translated', '64:ff9b::a00:1'],
  ['an address of IPv4, wrapped', '2002:a00:1::'],
  ['a tunnel', '2001:0:53aa::1'],
  ['documents', '2001:db8::1'],
  ['documents', '3fff::1'],
  ['a private network', 'fc00::1'],
  ['a private network', 'fd12:3456::1'],
  ['a link', 'fe80::1'],
  ['a link', 'fe80::1%lo'],
  ['groups', 'ff02::1'],
  ['no address', 'localhost'],
  ['no address', ''],
  ['no address', '127.1'],
])('of %s, not of the internet: %s', (_, address) => {
  expect(isPublicAddress(address)).toBe(false)
})
