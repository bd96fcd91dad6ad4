/**
 * The platform of Node: the file system, the hub, data sets.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { openModelFolder } from '@awq/formats/node'
import { readImage } from '@awq/image/node'
import { openText } from '@awq/text/node'
import type { Platform } from './platform.ts'

export { openWorkspace } from './workspace.node.ts'

export const resolveFolder: Platform['resolveFolder'] = openModelFolder

export const openTexts: Platform['openTexts'] = openText

export const readNamedImage: Platform['readNamedImage'] = (name, folder, options) =>
  readImage(resolve(folder ?? '', name), options)

export const temporaryFolder: Platform['temporaryFolder'] = async () => {
  const path = await mkdtemp(join(tmpdir(), 'awq-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

export const peakRssBytes: Platform['peakRssBytes'] = () => process.resourceUsage().maxRSS * 1024

let collect: (() => void) | undefined

/** V8 has no call for it unless it was started with one, or makes a new context after it was told to have it. */
const findCollector = (): (() => void) => {
  const given = (globalThis as { gc?: () => void }).gc
  if (given) return given
  try {
    setFlagsFromString('--expose-gc')
    return runInNewContext('gc') as () => void
  } catch {
    return () => {}
  }
}

/** V8 itself waits until typed arrays have taken another 64 MiB. */
export const collectGarbage: Platform['collectGarbage'] = () => {
  collect ??= findCollector()
  collect()
}
