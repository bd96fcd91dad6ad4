/** The tiny checkpoints that see, with the files of their processors. */
import { copyFileSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { processorFiles } from './processor-files.ts'
import type { seeingCheckpoints } from './vision-golden.ts'

/**
 * A checkpoint with the files of its processor and a chat template, in a folder of its own.
 * @param scratch where folders are made
 */
export const withProcessor = (
  { name, path, modelType }: (typeof seeingCheckpoints)[number],
  scratch: string,
  chatTemplate?: string | null,
): string => {
  const folder = mkdtempSync(join(scratch, `${name}-`))
  for (const file of readdirSync(path)) copyFileSync(join(path, file), join(folder, file))
  for (const [file, text] of Object.entries(processorFiles(modelType, chatTemplate)))
    writeFileSync(join(folder, file), text)
  return folder
}
