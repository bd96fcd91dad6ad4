import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The part of a package.json that says how packages hang together. */
export interface Manifest {
  readonly name: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly exports?: Readonly<Record<string, unknown>>
  readonly imports?: Readonly<Record<string, unknown>>
}

/** A monorepo as text: sources at `packages/NAME/src/**`, manifests at `packages/NAME/package.json`. */
export interface Repository {
  /** Names of the folders under `packages`. */
  readonly packages: readonly string[]
  manifest(name: string): Manifest
  /** Paths of the TypeScript files of a package's `src`, from the root. */
  sources(name: string): readonly string[]
  /** Text of a file by its path from the root, undefined when there is none. */
  read(path: string): string | undefined
}

/** The repository in `root`. */
export function repositoryOnDisk(root: string): Repository {
  const read = (path: string) => (existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined)
  const packages = globSync('packages/*/package.json', { cwd: root }).map((path) => path.split('/')[1]!)
  return {
    packages: packages.sort(),
    manifest: (name) => JSON.parse(read(`packages/${name}/package.json`)!) as Manifest,
    sources: (name) => globSync(`packages/${name}/src/**/*.{ts,tsx}`, { cwd: root }).sort(),
    read,
  }
}

/** A repository from its files, by path. */
export function repositoryInMemory(files: Readonly<Record<string, string>>): Repository {
  const paths = Object.keys(files).sort()
  return {
    packages: [...new Set(paths.map((path) => path.split('/')[1]!))],
    manifest: (name) => JSON.parse(files[`packages/${name}/package.json`]!) as Manifest,
    sources: (name) => paths.filter((path) => path.startsWith(`packages/${name}/src/`) && /\.tsx?$/.test(path)),
    read: (path) => files[path],
  }
}
