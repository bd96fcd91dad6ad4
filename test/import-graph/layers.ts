import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import { importsOf } from './imports-of.ts'
import type { Manifest, Repository } from './repository.ts'

/** From the bottom up: a package imports only from rows above its own in this list. */
export const layers: readonly (readonly string[])[] = [
  ['tensor'],
  ['onnx'],
  ['ort'],
  ['text', 'image'],
  ['models'],
  ['quantize', 'calibration'],
  ['search'],
  ['runtime'],
  ['evaluate', 'formats'],
  ['core'],
  ['report'],
  ['cli'],
]

const heightOf = (name: string): number => layers.findIndex((row) => row.includes(name))

/** `@scope/name/sub` -> `@scope/name`. */
const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

const isTest = (path: string): boolean => /\.test\.ts$|\/fixtures\//.test(path)

/** Pages are bundled whole into the build: what they import is needed to make it, not to run it. */
const isBundled = (path: string): boolean => /\/page\//.test(path)

const declared = (manifest: Manifest): string[] =>
  Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.peerDependencies })

/**
 * What is wrong with the packages' imports, one line each: an import from the same or a higher layer (so also every
 * circle), an import that package.json does not declare, a declared dependency that nothing imports, a relative import
 * that leaves its package. Tests and pages keep to the layers too, but may use what only the root declares.
 */
export function checkLayers(repository: Repository): string[] {
  const wrong: string[] = []
  const folderOf = new Map(repository.packages.map((folder) => [repository.manifest(folder).name, folder]))
  for (const folder of repository.packages) {
    const manifest = repository.manifest(folder)
    if (heightOf(folder) < 0) wrong.push(`packages/${folder} is in no layer`)
    const used = new Set<string>()
    for (const path of repository.sources(folder)) {
      for (const { specifier } of importsOf(path, repository.read(path)!)) {
        if (specifier.startsWith('.')) {
          const target = posix.join(posix.dirname(path), specifier)
          const inside = target.startsWith(`packages/${folder}/`) || (isTest(path) && !target.startsWith('packages/'))
          if (!inside) wrong.push(`${path} imports ${specifier}: outside of its package`)
          continue
        }
        if (specifier.startsWith('#') || isBuiltin(specifier)) continue
        const name = packageOf(specifier)
        const other = folderOf.get(name)
        if (other !== undefined && other !== folder && heightOf(other) >= heightOf(folder)) {
          wrong.push(`${path} imports ${specifier}: not below ${folder}`)
        }
        if (isTest(path) || isBundled(path)) continue
        used.add(name)
        if (!declared(manifest).includes(name)) wrong.push(`${path} imports ${specifier}: not in its package.json`)
      }
    }
    for (const name of declared(manifest)) {
      const other = folderOf.get(name)
      if (other !== undefined && heightOf(other) >= heightOf(folder)) {
        wrong.push(`packages/${folder}/package.json depends on ${name}: not below ${folder}`)
      }
      if (!used.has(name)) wrong.push(`packages/${folder}/package.json depends on ${name}: nothing imports it`)
    }
  }
  return wrong
}
