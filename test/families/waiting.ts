/**
 * Checkpoints that do not work yet, by folder name or by model type, and what each waits for. A test fails when one of
 * them works: this list only gets shorter.
 */
export const waiting: Readonly<Record<string, string>> = {}
