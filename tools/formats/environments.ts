/**
 * Environments of other programs, made from PyPI and npm with pinned versions: in the folder that AWQ_FORMAT_PEERS names, or
 * in `.peers` beside this file.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const { AWQ_FORMAT_PEERS: root = fileURLToPath(new URL('.peers', import.meta.url)) } = process.env

/** Runs a program; what it prints on stdout. Its stderr is ours. */
export const output = (
  program: string,
  args: readonly string[],
  { quiet = false, ...options }: { cwd?: string; input?: string; quiet?: boolean } = {},
): string =>
  execFileSync(program, args, {
    ...{ encoding: 'utf8', stdio: ['pipe', 'pipe', quiet ? 'ignore' : 'inherit'], maxBuffer: 2 ** 28 },
    ...options,
  })

/** Makes a folder once for each list of packages. */
const environment = (name: string, packages: readonly string[], make: (folder: string) => void): string => {
  const folder = join(root, name)
  const mark = join(folder, 'packages.txt')
  const wanted = packages.join('\n')
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return folder
  mkdirSync(folder, { recursive: true })
  console.error(`making ${folder}: ${packages.join(' ')}`)
  make(folder)
  writeFileSync(mark, wanted)
  return folder
}

/** A Python environment; the path of its interpreter. */
export const pythonWith = (name: string, packages: readonly string[]): string => {
  const folder = environment(name, packages, (path) => {
    output('python3', ['-m', 'venv', path])
    output(join(path, 'bin/python'), ['-m', 'pip', 'install', '--quiet', ...packages])
  })
  return join(folder, 'bin/python')
}

/** A folder with node_modules; packages' scripts are not run. */
export const nodeWith = (name: string, packages: readonly string[]): string =>
  environment(name, packages, (path) => {
    writeFileSync(join(path, 'package.json'), '{ "private": true, "type": "module" }\n')
    output('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...packages], { cwd: path })
  })

/** transformers.js, for Node and for browsers. */
export const transformersJs = (): string => nodeWith('transformersjs', ['@huggingface/transformers@4.3.1'])
