import { readFileSync } from 'node:fs'

/** Text to take prompts from: what every clone of this repository has. */
export const textOfBenchmark = (): string =>
  ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md']
    .map((name) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8'))
    .join('\n')
