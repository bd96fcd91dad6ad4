/**
 * Names of models on the hub, and what else says which one is meant.
 * @module
 */
import { AwqError, quoted } from './error.ts'

/** The hub that is asked by default. */
export const defaultHubUrl = 'https://huggingface.co'

/** Whether `name` can be the id of a repository: `ORG/NAME` of letters, digits, `.`, `_`, `-`. */
export function isHubId(name: string): boolean {
  return /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9_][\w.-]{0,95}$/.test(name) && !/--|\.\./.test(name)
}

/** A model of the hub, or a GGUF file of it. */
export interface HubReference {
  /** `ORG/NAME`. */
  readonly repository: string
  /** Path of a GGUF file in it. */
  readonly file?: string
}

/** `ORG/NAME` or `ORG/NAME/FILE.gguf`, the file being in a folder perhaps; undefined for anything else. */
export function hubReference(name: string): HubReference | undefined {
  if (isHubId(name)) return { repository: name }
  const [, repository = '', file = ''] = /^([^/]+\/[^/]+)\/([^\\:]+\.gguf)$/.exec(name) ?? []
  return isHubId(repository) && !file.split('/').includes('..') ? { repository, file } : undefined
}

/** Throws INVALID_ARGUMENT unless it can be a branch, tag or commit. */
export function checkRevision(revision: string): string {
  if (!/^\w[\w./-]*$/.test(revision) || revision.includes('..')) {
    throw new AwqError('INVALID_ARGUMENT', `${quoted(revision)} is not a revision: a branch, tag or commit is wanted`)
  }
  return revision
}

/** Throws CONFIG unless it can be an access token. `source` is where it is from, for the message. */
export function checkToken(token: string | undefined, source: string): string | undefined {
  if (token !== undefined && !/^hf_\w+$/.test(token)) {
    throw new AwqError('CONFIG', `the hub access token (${source}) is not one: it must begin with hf_`)
  }
  return token
}

/** The hub's address without slashes at its end. Throws CONFIG unless it is one. */
export function checkHubUrl(url: string, source: string): string {
  const address = url.replace(/\/+$/, '')
  if (!/^https?:\/\//.test(address) || !URL.canParse(address)) {
    throw new AwqError('CONFIG', `${quoted(address)} (${source}) is not an http address`)
  }
  return address
}
