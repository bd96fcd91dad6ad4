/**
 * Checks the packages as their users get them: packs every one, checks the tarballs with publint and attw, installs
 * them into an empty project, and there imports each with plain Node, type-checks a consumer, bundles the browser
 * entries and runs the command. Needs `npm run build` and `npm run build:types`.
 */
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { createSteps, type Finished, run } from './steps.ts'

interface Manifest {
  readonly name: string
  readonly version: string
  readonly exports: Readonly<Record<string, unknown>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

const root = resolve(import.meta.dirname, '..')
const binaries = join(root, 'node_modules', '.bin')
const directories = globSync('packages/*', { cwd: root }).sort()
const manifests = directories.map(
  (directory) => JSON.parse(readFileSync(join(root, directory, 'package.json'), 'utf8')) as Manifest,
)
const work = mkdtempSync(join(tmpdir(), 'awq-packages-'))
const project = join(work, 'project')
mkdirSync(project)

/** The environment of a user: without the Node and the tools that npm scripts of this repository put first in the path. */
const plainPath = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((entry) => !entry.includes('node_modules'))
  .join(delimiter)
const userEnvironment = {
  ...Object.fromEntries(
    Object.keys(process.env)
      .filter((key) => /^npm_/i.test(key))
      .map((key) => [key, undefined]),
  ),
  PATH: plainPath,
  ONNXRUNTIME_NODE_INSTALL: 'skip',
}

/** `@awq/tensor/node` of `@awq/tensor` and `./node`; entries that are code. */
const entries = manifests.flatMap(({ name, exports }) =>
  Object.keys(exports)
    .filter((path) => path !== './package.json')
    .map((path) => `${name}${path.slice(1)}`),
)
/** Without the programs of Workers, which begin to listen when they are loaded. */
const libraries = entries.filter((entry) => !entry.endsWith('/worker'))
const browserEntries = entries.filter((entry) => entry !== 'awq' && !/\/(node|server)$/.test(entry))

const tarballOf = ({ name, version }: Manifest): string =>
  join(work, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`)

const { step, summary } = createSteps()

step('npm pack', () => {
  const workspaces = directories.flatMap((directory) => ['--workspace', directory])
  return run('npm', ['pack', ...workspaces, '--pack-destination', work], { cwd: root })
})

for (const [index, manifest] of manifests.entries()) {
  const directory = join(root, directories[index]!)
  step(`publint ${manifest.name}`, () => run(join(binaries, 'publint'), ['--strict', directory]))
  step(`attw ${manifest.name}`, () =>
    run(join(binaries, 'attw'), [tarballOf(manifest), '--profile', 'esm-only', '--no-emoji', '--format', 'ascii']),
  )
}

step('no tests and no fixtures in the tarballs', () => {
  const listed = manifests.map((manifest) => run('tar', ['-tzf', tarballOf(manifest)]))
  const wrong = listed.flatMap(({ output }) => output.split('\n').filter((path) => /\.test\.|\/fixtures\//.test(path)))
  return { ok: listed.every(({ ok }) => ok) && wrong.length === 0, output: wrong.join('\n') }
})

step('the tarballs install into an empty project', () => {
  const dependencies = Object.assign(
    // The declarations of @ai-sdk/provider import from json-schema, which has none.
    { '@types/json-schema': '7' },
    ...manifests.map((manifest) => ({ [manifest.name]: `file:${tarballOf(manifest)}`, ...manifest.peerDependencies })),
  )
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'consumer', private: true, type: 'module', dependencies }),
  )
  return run('npm', ['install', '--no-audit', '--no-fund'], { cwd: project, env: userEnvironment })
})

step(`every entry imports in plain Node ${run('node', ['-v'], { env: userEnvironment }).output.trim()}`, () => {
  const script = `
    for (const entry of ${JSON.stringify(libraries)}) {
      if (Object.keys(await import(entry)).length === 0) throw new Error(entry + ' exports nothing')
    }
    const { Graph } = await import('@awq/onnx')
    const { createEngine, tensor } = await import('@awq/ort')
    const graph = new Graph('double')
    const x = graph.input('x', 'float32', [2])
    graph.output('y', graph.add('Add', [x, x]))
    const session = await (await createEngine()).createSession(graph.toBytes())
    const { y } = await session.run({ x: tensor('float32', [2], Float32Array.of(1, 2)) })
    if (y.data[1] !== 4) throw new Error('wrong sum')
    await session.dispose()`
  writeFileSync(join(project, 'consumer.mjs'), script)
  return run('node', ['consumer.mjs'], { cwd: project, env: userEnvironment })
})

for (const resolution of ['NodeNext', 'Bundler']) {
  step(`a consumer type-checks (moduleResolution ${resolution})`, () => {
    const lines = entries.map((entry, index) => `import * as entry${index} from '${entry}'`)
    lines.push(
      "import { createEngine, type Engine, tensor } from '@awq/ort'",
      "import { AwqError } from '@awq/tensor'",
      'export const engine: Promise<Engine> = createEngine()',
      'export const codes: AwqError["code"][] = []',
      '// @ts-expect-error the shape is a list',
      "tensor('float32', 2, new Float32Array(2))",
      `export const all = [${entries.map((_, index) => `entry${index}`).join(', ')}]`,
    )
    writeFileSync(join(project, 'consumer.ts'), lines.join('\n'))
    const compilerOptions = {
      target: 'ES2022',
      lib: ['ES2023', 'ESNext.Disposable', 'DOM', 'DOM.Iterable', 'DOM.AsyncIterable'],
      module: resolution === 'Bundler' ? 'ESNext' : resolution,
      moduleResolution: resolution,
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      skipLibCheck: false,
      typeRoots: [join(root, 'node_modules/@types')],
      types: ['node'],
    }
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }))
    return run(join(binaries, 'tsc'), ['-p', join(project, 'tsconfig.json')])
  })
}

for (const entry of browserEntries) {
  step(`${entry} bundles for browsers`, () => {
    const file = join(project, 'browser.mjs')
    writeFileSync(file, `export * from '${entry}'`)
    const parameters = [
      file,
      '--bundle',
      '--platform=browser',
      '--format=esm',
      '--external:*.wasm',
      '--log-level=warning',
    ]
    return run(join(binaries, 'esbuild'), [...parameters, `--outfile=${join(work, 'bundle.mjs')}`])
  })
}

const command = (...parameters: string[]): Finished =>
  run('npx', ['--no-install', 'awq', ...parameters], { cwd: project, env: userEnvironment })

const model = join(root, 'examples/models/stories260k')
step('awq --help', () => command('--help'))
step('awq quantize', () => command('quantize', model, '-o', 'out', '--method', 'rtn', '--group-size', '32', '--json'))
step('awq run', () =>
  command('run', 'out', '--prompt', 'Once upon a time', '--max-new-tokens', '8', '--temperature', '0'),
)

rmSync(work, { recursive: true, force: true })
process.exitCode = summary()
