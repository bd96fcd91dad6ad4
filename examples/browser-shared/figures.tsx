import type { GenerationResult } from '@awq/runtime'
import { duration } from './format.ts'

const endings: Record<string, string> = { length: 'cut off by its length', stop: 'stopped' }

/** What an answer took. */
export const Figures = ({ result }: { readonly result: GenerationResult }) => (
  <ul class="facts" aria-label="Figures">
    <li>
      <b>{(result.newTokens / result.seconds).toFixed(0)}</b> tokens/s
    </li>
    <li>first after {duration(result.firstTokenSeconds)}</li>
    <li>{result.newTokens} tokens</li>
    {result.reusedTokens > 0 && (
      <li>
        {result.reusedTokens} of {result.promptTokens} prompt tokens were still in memory
      </li>
    )}
    {endings[result.finishReason] && <li>{endings[result.finishReason]}</li>}
  </ul>
)
