import { existsSync } from 'node:fs'
import { loadRuntime } from '../src/native/create-native-engine.ts'

/** Debian's chromium brings SwiftShader, a Vulkan driver that computes on the CPU, and the loader that finds it. */
const driver = '/usr/lib/chromium/vk_swiftshader_icd.json'
const loader = '/usr/lib/chromium/libvulkan.so.1'

/** Why tests on WebGPU cannot run here; undefined when they can. */
export const withoutSoftwareGpu: string | undefined = [driver, loader].every((path) => existsSync(path))
  ? undefined
  : `there is no software GPU (${driver}): install Debian's chromium`

/** Makes the software GPU the one that WebGPU finds in this process. */
export async function useSoftwareGpu(): Promise<void> {
  process.env.VK_ICD_FILENAMES = driver
  const runtime = await loadRuntime({})
  // Loaded under the name that WebGPU will ask the system's linker for.
  runtime.koffi.load(loader)
}
