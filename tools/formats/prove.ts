/**
 * Proof that other programs read what we write: `node --conditions @awq/source tools/formats/prove.ts NAME [arguments]`.
 * Environments of the programs are made on the first run; see environments.ts.
 */
const proofs: Readonly<Record<string, () => Promise<(args: readonly string[]) => Promise<boolean>>>> = {
  'compressed-tensors': async () => (await import('./compressed-tensors.ts')).proveCompressedTensors,
  qweight: async () => (await import('./qweight.ts')).proveQweights,
  calibrated: async () => (await import('./calibrated.ts')).proveCalibrated,
  loaded: async () => (await import('./loaded.ts')).proveLoaded,
  gguf: async () => (await import('./gguf.ts')).proveGguf,
  browser: async () => (await import('./browser.ts')).proveBrowser,
  seeing: async () => (await import('./seeing.ts')).proveSeeing,
  'seeing-loaded': async () => (await import('./seeing-loaded.ts')).proveSeeingLoaded,
  generators: async () => (await import('./generators.ts')).proveGenerators,
}

const [name = '', ...args] = process.argv.slice(2)
const proof = proofs[name]
if (!proof) throw new Error(`prove.ts NAME: one of ${Object.keys(proofs).join(', ')}`)
process.exitCode = (await (await proof())(args)) ? 0 : 1
