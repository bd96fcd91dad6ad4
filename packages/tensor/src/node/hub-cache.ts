import { copyFile, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import type { HubRepository } from './hub-repository.ts'

const commitPattern = /^[0-9a-f]{40}$/

/**
 * The paths of one repository in the cache that Python's huggingface_hub shares: `blobs/ETAG` holds the bytes,
 * `snapshots/COMMIT/FILE` links to them, `refs/REVISION` holds the commit a branch or tag stood at.
 */
export interface CachedRepository {
  readonly root: string
  blob(etag: string): string
  snapshot(commit: string): string
}

/** The place of a repository in a cache folder; nothing need exist yet. */
export function cachedRepository(cacheDir: string, { type, name }: HubRepository): CachedRepository {
  const root = join(cacheDir, `${type}s--${name.replace('/', '--')}`)
  return {
    root,
    blob: (etag) => join(root, 'blobs', etag),
    snapshot: (commit) => join(root, 'snapshots', commit),
  }
}

/** The commit a revision stands for in the cache, if the cache knows. */
export async function cachedCommit(repository: CachedRepository, revision: string): Promise<string | undefined> {
  if (commitPattern.test(revision)) return revision
  const text = await readFile(join(repository.root, 'refs', revision), 'utf8').catch(() => '')
  return commitPattern.test(text.trim()) ? text.trim() : undefined
}

/** Remembers the commit of a branch or tag. Done last, so that a known revision was downloaded whole. */
export async function rememberCommit(repository: CachedRepository, revision: string, commit: string): Promise<void> {
  if (revision === commit) return
  const path = join(repository.root, 'refs', revision)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(`${path}.partial`, commit)
  await rename(`${path}.partial`, path)
}

/** The length of a file, links followed, or undefined when there is none. */
export async function fileSize(path: string): Promise<number | undefined> {
  const status = await stat(path).catch(() => undefined)
  return status?.isFile() ? status.size : undefined
}

/** Makes `snapshots/COMMIT/FILE` a relative link to a blob, or a copy where the system allows no links. */
export async function linkBlob(blob: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await rm(path, { force: true })
  try {
    await symlink(relative(dirname(path), blob), path)
  } catch (error) {
    // Somebody else made it meanwhile: the content is the same.
    if ((error as { code?: string }).code === 'EEXIST') return
    await copyFile(blob, path)
  }
}
