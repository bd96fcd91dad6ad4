import { readFile } from 'node:fs/promises'

/** The version in this package's package.json, which lies one folder above both `src` and `dist`. */
export const packageVersion = async (): Promise<string> => {
  const content: unknown = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'))
  const version = typeof content === 'object' && content !== null && 'version' in content ? content.version : undefined
  return String(version)
}
