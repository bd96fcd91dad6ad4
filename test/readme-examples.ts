import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Plugin } from 'vite'

/** The first ```ts fence of a Markdown text, undefined when there is none. */
export const firstExample = (markdown: string): string | undefined => /^```ts\n([\s\S]*?)^```/m.exec(markdown)?.[1]

/** Packages that have a README, by folder name. */
export const readmes = (root: string): Map<string, string> =>
  new Map(
    globSync('packages/*/README.md', { cwd: root })
      .sort()
      .map((path) => [path.split('/')[1]!, readFileSync(join(root, path), 'utf8')]),
  )

/** Id of the module that a package's example is; it lies in the package's folder only in name. */
export const exampleId = (root: string, name: string): string => join(root, 'packages', name, 'README.example.ts')

/** Makes the first example of each README a module, so that it runs on the sources without a file being written. */
export function readmeExamples(root: string): Plugin {
  const nameOf = (id: string) => /\/packages\/([^/]+)\/README\.example\.ts$/.exec(id)?.[1]
  return {
    name: 'readme-examples',
    enforce: 'pre',
    resolveId: (id) => (nameOf(id) === undefined ? undefined : id),
    load: (id) => {
      const name = nameOf(id)
      return name === undefined ? undefined : firstExample(readmes(root).get(name) ?? '')
    },
  }
}
