import type { Settings } from './settings.ts'

interface Props {
  readonly settings: Settings
  readonly converses: boolean
  readonly onChange: (settings: Settings) => void
}

/** How answers are chosen. */
export const SettingsPanel = ({ settings, converses, onChange }: Props) => {
  const { system, temperature, topP, maxTokens, seed } = settings
  return (
    <details class="settings">
      <summary>Settings</summary>
      <div class="fields">
        {converses && (
          <label class="wide">
            System prompt
            <textarea
              rows={2}
              value={system}
              onInput={(event) => onChange({ ...settings, system: event.currentTarget.value })}
            />
          </label>
        )}
        <label>
          <span>
            Temperature <i aria-hidden="true">{temperature === 0 ? '0, always the likeliest' : temperature}</i>
          </span>
          <input
            type="range"
            min={0}
            max={1.5}
            step={0.1}
            value={temperature}
            onInput={(event) => onChange({ ...settings, temperature: event.currentTarget.valueAsNumber })}
          />
        </label>
        <label>
          <span>
            Top p <i aria-hidden="true">{topP}</i>
          </span>
          <input
            type="range"
            min={0.05}
            max={1}
            step={0.05}
            value={topP}
            onInput={(event) => onChange({ ...settings, topP: event.currentTarget.valueAsNumber })}
          />
        </label>
        <label>
          Most tokens
          <input
            type="number"
            min={1}
            max={4096}
            value={maxTokens}
            onChange={(event) => {
              if (event.currentTarget.checkValidity() && event.currentTarget.value !== '')
                onChange({ ...settings, maxTokens: event.currentTarget.valueAsNumber })
            }}
          />
        </label>
        <label>
          Seed
          <input
            type="number"
            min={0}
            max={4294967295}
            placeholder="another each time"
            value={seed ?? ''}
            onChange={(event) => {
              const { value, valueAsNumber } = event.currentTarget
              if (event.currentTarget.checkValidity())
                onChange({ ...settings, seed: value === '' ? undefined : valueAsNumber })
            }}
          />
        </label>
      </div>
    </details>
  )
}
