import { AwqError } from '@awq/tensor'

/**
 * What a name stands for in a table of makers, or the thing itself.
 * @param what names the kind in the error message
 * @throws AwqError `INVALID_ARGUMENT` for an unknown name, listing the known ones
 */
export const named = <T extends object>(
  what: string,
  nameOrOwn: string | T,
  table: Readonly<Record<string, () => T>>,
): T => {
  if (typeof nameOrOwn !== 'string') return nameOrOwn
  if (Object.hasOwn(table, nameOrOwn)) return table[nameOrOwn]!()
  throw new AwqError(
    'INVALID_ARGUMENT',
    `unknown ${what} "${nameOrOwn}"; known: ${Object.keys(table).join(', ')}, or an object of your own`,
  )
}
