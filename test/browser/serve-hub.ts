/**
 * A hub for tests in a browser: an imitation in Node's process, at addresses of other origins than the page's.
 * @module
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BrowserCommand } from 'vitest/node'
import { type HubImitation, imitateHub } from '../../packages/tensor/src/fixtures/hub-imitation.ts'

/** What a hub is to have. */
export interface ServedModel {
  readonly name: string
  /** The folder with its files, from the root of the repository. */
  readonly folder: string
  /** The token that it wants. */
  readonly token?: string
}

declare module 'vitest/browser' {
  interface BrowserCommands {
    /** Starts a hub; gives its address. */
    serveHub(model: ServedModel): Promise<string>
    /** Ends the hub of an address; gives what it was asked, and the tokens that reached its store. */
    endHub(url: string): Promise<Pick<HubImitation, 'requests' | 'leaked'>>
  }
}

const running = new Map<string, HubImitation>()

export const serveHub: BrowserCommand<[model: ServedModel]> = async (_, { name, folder, token }) => {
  const files: Record<string, Uint8Array> = {}
  for (const file of await readdir(folder)) files[file] = await readFile(join(folder, file))
  const hub = await imitateHub({ name, files, ...(token === undefined ? {} : { token }) })
  running.set(hub.url, hub)
  return hub.url
}

export const endHub: BrowserCommand<[url: string]> = async (_, url) => {
  const hub = running.get(url)!
  running.delete(url)
  hub.close()
  return { requests: [...hub.requests], leaked: [...hub.leaked] }
}
