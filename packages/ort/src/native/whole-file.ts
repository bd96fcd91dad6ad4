import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/**
 * False for an ELF library that ends before its table of sections, which comes last in it: a download that broke off.
 * To load it would end the process by a signal. True for everything else, which fails with an error or loads.
 */
export function isWholeLibrary(path: string): boolean {
  const file = openSync(path, 'r')
  try {
    const header = Buffer.alloc(64)
    const elf64 = readSync(file, header, 0, 64, 0) === 64 && header.readUInt32BE(0) === 0x7f454c46 && header[4] === 2
    if (!elf64) return true
    const end = header.readBigUInt64LE(0x28) + BigInt(header.readUInt16LE(0x3a) * header.readUInt16LE(0x3c))
    return end <= BigInt(fstatSync(file).size)
  } finally {
    closeSync(file)
  }
}
