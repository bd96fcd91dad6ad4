import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import { importsOf } from './imports-of.ts'
import type { Repository } from './repository.ts'

/** What a bundler for browsers asks for, on top of the condition that leads to the sources. */
const conditions: readonly string[] = ['@awq/source', 'browser', 'import', 'default']

/** Entries of a package beside its first that are for browsers. */
const browserEntries: readonly string[] = ['./browser', './worker']

/** Packages without a browser build. */
const nodeOnly: readonly string[] = ['cli']

/** Third-party packages that exist for Node only. */
const nodePackages: readonly string[] = ['onnxruntime-node', 'koffi']

/** The file that an `exports` or `imports` target leads to under `conditions`: the first condition that holds wins. */
function targetOf(entry: unknown): string | undefined {
  if (typeof entry === 'string') return entry
  if (typeof entry !== 'object' || entry === null) return undefined
  for (const [condition, target] of Object.entries(entry)) {
    const found = conditions.includes(condition) ? targetOf(target) : undefined
    if (found !== undefined) return found
  }
  return undefined
}

/**
 * Walks the runtime imports, static and dynamic, from the browser entries (`exports["."]` and some by name) of every package that has a
 * browser build. Returns one line with the whole chain for every Node module, `/node` entry or Node-only package met,
 * and for every import that leads nowhere.
 */
export function checkBrowserEntries(repository: Repository): string[] {
  const wrong: string[] = []
  const folderOf = new Map(repository.packages.map((folder) => [repository.manifest(folder).name, folder]))

  const inPackage = (folder: string, entry: unknown): string | undefined => {
    const target = targetOf(entry)
    return target === undefined ? undefined : posix.join(`packages/${folder}`, target)
  }

  /** A path in the repository, `'external'`, or undefined when nothing is there. */
  const resolve = (from: string, specifier: string): string | undefined => {
    if (specifier.startsWith('.')) return posix.join(posix.dirname(from), specifier)
    const home = from.split('/')[1]!
    if (specifier.startsWith('#')) return inPackage(home, repository.manifest(home).imports?.[specifier])
    const [scope, name] = specifier.split('/')
    const folder = folderOf.get(specifier.startsWith('@') ? `${scope}/${name}` : scope!)
    if (folder === undefined) return 'external'
    const own = repository.manifest(folder)
    return inPackage(folder, own.exports?.[`.${specifier.slice(own.name.length)}`])
  }

  const seen = new Set<string>()
  const walk = (path: string, chain: readonly string[]): void => {
    if (seen.has(path)) return
    seen.add(path)
    const text = repository.read(path)
    if (text === undefined) {
      wrong.push(`${chain.join(' -> ')}: no such file`)
      return
    }
    if (!path.endsWith('.ts')) return
    for (const { specifier, typeOnly } of importsOf(path, text)) {
      if (typeOnly) continue
      const here = [...chain, specifier]
      const isNodeEntry = specifier.startsWith('@awq/') && specifier.split('/').includes('node')
      if (isBuiltin(specifier) || isNodeEntry || nodePackages.includes(specifier)) {
        wrong.push(`${here.join(' -> ')}: only exists in Node`)
        continue
      }
      const target = resolve(path, specifier)
      if (target === undefined) wrong.push(`${here.join(' -> ')}: resolves to nothing`)
      else if (target !== 'external') walk(target, [...chain, target])
    }
  }

  for (const folder of repository.packages) {
    if (nodeOnly.includes(folder)) continue
    for (const path of ['.', ...browserEntries]) {
      const entry = inPackage(folder, repository.manifest(folder).exports?.[path])
      if (entry !== undefined) walk(entry, [entry])
      else if (path === '.') wrong.push(`packages/${folder} has no entry`)
    }
  }
  return wrong
}
