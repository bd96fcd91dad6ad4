/** The `awq` command as a function: `main(['inspect', 'model', '--json'])` resolves to the exit code. */
export type { Context, TextOutput } from './context.ts'
export type { Libraries } from './libraries.ts'
export { exitCodes, main } from './main.ts'
