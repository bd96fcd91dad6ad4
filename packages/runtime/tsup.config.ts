import { base } from '../../tsup.base.ts'

export default base([], { entry: { index: 'src/index.ts', node: 'src/node.ts', server: 'src/server/index.ts' } })
