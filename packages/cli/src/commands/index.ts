import type { Command } from '../command.ts'
import { benchCommand } from './bench.ts'
import { chatCommand } from './chat.ts'
import { compareCommand } from './compare.ts'
import { convertCommand } from './convert.ts'
import { evalCommand } from './eval.ts'
import { exportCommand } from './export.ts'
import { inspectCommand } from './inspect.ts'
import { logitsCommand } from './logits.ts'
import { pushCommand } from './push.ts'
import { quantizeCommand } from './quantize.ts'
import { runCommand } from './run.ts'
import { serveCommand } from './serve.ts'

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  quantizeCommand,
  runCommand,
  chatCommand,
  serveCommand,
  evalCommand,
  compareCommand,
  benchCommand,
  exportCommand,
  convertCommand,
  pushCommand,
  inspectCommand,
  logitsCommand,
]
