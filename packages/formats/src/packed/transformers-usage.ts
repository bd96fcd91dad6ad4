/**
 * How a folder is opened with transformers, for its model card.
 * @module
 */

/** `introduction` and the lines of Python. */
export const transformersUsage = (introduction: string): string =>
  [
    introduction,
    '',
    '```python',
    'from transformers import AutoModelForCausalLM',
    '',
    "model = AutoModelForCausalLM.from_pretrained('OUT')",
    '```',
  ].join('\n')
