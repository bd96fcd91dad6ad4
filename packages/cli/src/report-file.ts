import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { AwqError } from '@awq/tensor'

/** The nearest ancestor of a path that exists, when it is a file and no folder. */
const fileAbove = async (path: string): Promise<string | undefined> => {
  const parent = dirname(path)
  const found = await stat(parent).catch(() => undefined)
  if (found) return found.isDirectory() ? undefined : parent
  return parent === path ? undefined : fileAbove(parent)
}

/**
 * Asked before hours of work, so that they do not end in a report that can not be written. An existing file is replaced.
 * @param output the model's folder, which may hold the report but not be it
 * @throws AwqError EXISTS when the path is a folder, or lies in a file
 */
export const refuseReportPath = async (path: string, output: string): Promise<void> => {
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory() || resolve(path) === resolve(output) || /[/\\]$/.test(path))
    throw new AwqError('EXISTS', `${path} is a folder; give --report a file, such as ${join(path, 'report.html')}`)
  const file = await fileAbove(resolve(path))
  if (file !== undefined)
    throw new AwqError('EXISTS', `${file} is a file and can not hold ${path}; give --report another path`)
}

/**
 * Writes a report under a temporary name beside its own, and renames it when it is on the disk.
 * @param render makes the page
 * @throws AwqError IO naming the path, for whatever goes wrong
 */
export const writeReport = async (path: string, render: () => string | Promise<string>): Promise<void> => {
  const folder = dirname(path)
  const temporary = join(folder, `.${basename(path)}.${process.pid}.tmp`)
  try {
    const page = await render()
    await mkdir(folder, { recursive: true })
    try {
      const file = await open(temporary, 'wx')
      try {
        await file.writeFile(page)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new AwqError('IO', `the model is complete, but its report ${path} could not be written: ${message}`, {
      cause,
    })
  }
}
