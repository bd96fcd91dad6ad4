/**
 * The platform of Node: the file system, the hub, data sets.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveModel } from '@awq/tensor/node'
import { openText } from '@awq/text/node'
import type { Platform } from './platform.ts'

export { openWorkspace } from './workspace.node.ts'

export const resolveFolder: Platform['resolveFolder'] = resolveModel

export const openTexts: Platform['openTexts'] = openText

export const temporaryFolder: Platform['temporaryFolder'] = async () => {
  const path = await mkdtemp(join(tmpdir(), 'awq-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

export const peakRssBytes: Platform['peakRssBytes'] = () => process.resourceUsage().maxRSS * 1024
