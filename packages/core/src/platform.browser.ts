/**
 * The platform of a browser: paths are those of the origin's private file system.
 * @module
 */
import { removePath, subdirectory } from '@awq/quantize/browser'
import { AwqError } from '@awq/tensor'
import { openPath } from './browser/outputs.ts'
import { privateRoot } from './browser/place.ts'
import type { Platform } from './platform.ts'

export { openWorkspace } from './workspace.browser.ts'

export const resolveFolder: Platform['resolveFolder'] = openPath

export const openTexts: Platform['openTexts'] = async () => {
  throw new AwqError(
    'UNSUPPORTED',
    'a browser opens no files by path: pass the calibration text as an array of strings',
  )
}

export const readNamedImage: Platform['readNamedImage'] = undefined

export const temporaryFolder: Platform['temporaryFolder'] = async () => {
  const path = `.awq-temporary/${crypto.randomUUID()}`
  const root = await privateRoot()
  await subdirectory(root, path, { create: true })
  return { path, [Symbol.asyncDispose]: () => removePath(root, path) }
}

export const peakRssBytes: Platform['peakRssBytes'] = () => undefined
export const collectGarbage: Platform['collectGarbage'] = () => {}
