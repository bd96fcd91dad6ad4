import { base } from '../../tsup.base.ts'

export default base(['src/index.ts', 'src/node.ts', 'src/platform.node.ts', 'src/platform.browser.ts'])
