// Installs the peers at their pinned versions, from npm and PyPI alone.
//
//   npx node benchmarks/runtime/install.ts
import { existsSync } from 'node:fs'
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './command.ts'
import { here, peersFolder, python } from './folders.ts'

await mkdir(peersFolder, { recursive: true })
await copyFile(here('peers/package.json'), join(peersFolder, 'package.json'))
// The packages bring their libraries along: install scripts would only fetch what is not used here, from elsewhere.
await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: peersFolder })

// node-llama-cpp carries the sources of the release it is built from; the converter to GGUF is among them.
const sources = join(peersFolder, 'llama.cpp')
if (!existsSync(sources))
  await run('git', [
    ...['-c', 'advice.detachedHead=false', 'clone', '--quiet'],
    join(peersFolder, 'node_modules', 'node-llama-cpp', 'llama', 'gitRelease.bundle'),
    sources,
  ])

if (!existsSync(python))
  await run(process.platform === 'win32' ? 'python' : 'python3', ['-m', 'venv', join(peersFolder, 'python')])
await run(python, ['-m', 'pip', 'install', '--quiet', '-r', here('peers/requirements.txt')])
console.error(`installed in ${peersFolder}`)
