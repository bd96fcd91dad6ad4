import { base } from '../../tsup.base.ts'

export default base([
  'src/index.ts',
  'src/platform.node.ts',
  'src/platform.browser.ts',
  'src/browser.ts',
  'src/worker.ts',
  'src/spawn-worker.ts',
])
