import { homedir } from 'node:os'
import { join } from 'node:path'
import { checkHubUrl, checkRevision, checkToken, defaultHubUrl } from '../hub-reference.ts'

/** How to reach the hub and where to keep what it gives. */
export interface HubOptions {
  /** Branch, tag or commit; `main` by default. */
  readonly revision?: string | undefined
  /** The cache folder; by default the one that Python's huggingface_hub uses. */
  readonly cacheDir?: string | undefined
  /** Access token for private and gated repositories; `HF_TOKEN` by default. */
  readonly token?: string | undefined
  /** Use only what is in the cache; also set by `HF_HUB_OFFLINE=1`. */
  readonly localFilesOnly?: boolean | undefined
  /** The hub's address; `HF_ENDPOINT`, then https://huggingface.co by default. */
  readonly hubUrl?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Bytes of each file as they arrive, at least every MiB and at its end. */
  readonly onProgress?: ((event: HubProgress) => void) | undefined
  /** Used instead of the global fetch. */
  readonly fetch?: typeof fetch | undefined
  /** Environment variables; those of the process by default. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
}

export interface HubProgress {
  readonly file: string
  readonly loaded: number
  readonly total: number
}

/** The options with everything decided. */
export interface HubSettings {
  readonly revision: string
  readonly cacheDir: string
  readonly token: string | undefined
  readonly offline: boolean
  readonly hubUrl: string
  readonly signal: AbortSignal | undefined
  readonly onProgress: (event: HubProgress) => void
  readonly fetch: typeof fetch
}

/**
 * Fills options from the environment as Python's huggingface_hub does: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME,
 * XDG_CACHE_HOME for the cache, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE. Throws INVALID_ARGUMENT for a revision that is
 * not one, CONFIG for a token or an address that cannot be right.
 */
export function hubSettings(options: HubOptions = {}): HubSettings {
  const environment = options.environment ?? process.env
  const revision = checkRevision(options.revision ?? 'main')
  const token = checkToken(options.token ?? (environment.HF_TOKEN?.trim() || undefined), 'HF_TOKEN')
  const hubUrl = checkHubUrl(options.hubUrl ?? (environment.HF_ENDPOINT || defaultHubUrl), 'HF_ENDPOINT')
  return {
    revision,
    token,
    hubUrl,
    cacheDir: options.cacheDir ?? cacheFolder(environment),
    offline: options.localFilesOnly ?? /^(1|true|yes|on)$/i.test(environment.HF_HUB_OFFLINE ?? ''),
    signal: options.signal,
    onProgress: options.onProgress ?? (() => {}),
    fetch: options.fetch ?? fetch,
  }
}

function cacheFolder(environment: Readonly<Record<string, string | undefined>>): string {
  const direct = environment.HF_HUB_CACHE || environment.HUGGINGFACE_HUB_CACHE
  if (direct) return expandHome(direct)
  const home = environment.HF_HOME || join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface')
  return join(expandHome(home), 'hub')
}

function expandHome(path: string): string {
  return path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path
}
