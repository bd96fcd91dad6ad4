import type { Model } from '../models.ts'

/** What is known of a model, by name. */
export const Facts = ({ model }: { model: Model }) => (
  <dl class="facts">
    {model.facts.map(({ name, value }) => (
      <div>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
)

/** What is known of a model, in a line. */
export const FactLine = ({ model }: { model: Model }) => {
  const facts = model.facts.flatMap(({ short }) => short ?? [])
  if (facts.length === 0) return null
  return (
    <ul class="fact-line" aria-label={`About ${model.id}`}>
      {facts.map((fact) => (
        <li>{fact}</li>
      ))}
    </ul>
  )
}
