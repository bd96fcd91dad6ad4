interface Props {
  readonly label: string
  /** From 0 to 1; undefined while nobody knows. */
  readonly share?: number | undefined
  /** What stands behind the bar: bytes, time left. */
  readonly note?: string | undefined
}

/** A stage under way. */
export const Progress = ({ label, share, note }: Props) => (
  <div class="progress">
    <div class="progress-line">
      <span>{label}</span>
      <span class="note-text">{note}</span>
    </div>
    <progress aria-label={label} max={1} {...(share === undefined ? {} : { value: share })} />
  </div>
)
