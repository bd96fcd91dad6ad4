import { base } from '../../tsup.base.ts'

export default base(['src/index.ts', 'src/node.ts', 'src/sha256.node.ts', 'src/sha256.browser.ts', 'src/browser.ts'])
