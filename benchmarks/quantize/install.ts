// Installs AutoAWQ and llm-compressor at their pinned versions from PyPI, each in an environment of its own.
//
//   npx node benchmarks/quantize/install.ts
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { run } from '../runtime/command.ts'
import { environment, here, type Peer, peersFolder, python } from './folders.ts'

const install = async (peer: Peer): Promise<void> => {
  if (!existsSync(python(peer)))
    await run(process.platform === 'win32' ? 'python' : 'python3', ['-m', 'venv', environment(peer)])
  await run(python(peer), ['-m', 'pip', 'install', '--quiet', '-r', here(`peers/${peer}.txt`)])
}

await mkdir(peersFolder, { recursive: true })
await install('llm-compressor')
await install('autoawq')
const alone = ['--no-deps', '--no-build-isolation', 'autoawq==0.2.9']
await run(python('autoawq'), ['-m', 'pip', 'install', '--quiet', ...alone])
console.error(`installed in ${peersFolder}`)
