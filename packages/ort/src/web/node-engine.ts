import { availableParallelism } from 'node:os'
import { AwqError } from '@awq/tensor'
import { probeGraph } from '../probe-graph.ts'
import type { Device, Engine, EngineOptions } from '../types.ts'
import { bundleFiles } from './bundle-files.node.ts'
import { createWebEngine } from './engine.ts'

/**
 * onnxruntime-web's WebAssembly in Node: slower than the native engine, and its arithmetic is that of browsers to the bit.
 * @throws AwqError `UNSUPPORTED` for a device other than the CPU
 */
export async function createWebEngineInNode(options: EngineOptions & { readonly device: Device }): Promise<Engine> {
  const { device, threads = availableParallelism() } = options
  if (device !== 'cpu') {
    throw new AwqError('UNSUPPORTED', `onnxruntime-web computes on the CPU alone in Node, not on '${device}'`)
  }
  // The module makes Node's worker threads known as browsers' Workers are, to everything in the process.
  const before = Object.getOwnPropertyDescriptor(globalThis, 'Worker')
  try {
    return (await createWebEngine({ device, threads, files: bundleFiles(), probe: probeGraph() })).engine
  } finally {
    if (before) Object.defineProperty(globalThis, 'Worker', before)
    else delete (globalThis as { Worker?: unknown }).Worker
  }
}
