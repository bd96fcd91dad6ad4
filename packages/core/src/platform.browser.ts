/**
 * The platform of a browser: models and texts are given as objects, not by path.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { Platform } from './platform.ts'

const needs = (what: string): never => {
  throw new AwqError('UNSUPPORTED', `a browser has no file system: ${what}`)
}

export const resolveFolder: Platform['resolveFolder'] = async () => needs('pass the model as a Folder, not as a path')
export const openTexts: Platform['openTexts'] = async () => needs('pass the calibration text as an array of strings')
export const openWorkspace: Platform['openWorkspace'] = async () => needs('quantizing to a path needs Node')
export const temporaryFolder: Platform['temporaryFolder'] = async () => needs('comparing methods needs Node')
export const peakRssBytes: Platform['peakRssBytes'] = () => 0
export const collectGarbage: Platform['collectGarbage'] = () => {}
