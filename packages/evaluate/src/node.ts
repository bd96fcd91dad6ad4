export {
  type CodeSandbox,
  type CodeSandboxOptions,
  createCodeSandbox,
  type Isolation,
} from './node/sandbox.ts'
export { openTaskFile } from './node/task-file.ts'
