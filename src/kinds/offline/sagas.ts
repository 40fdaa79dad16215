import { parse } from '@marcbachmann/cel-js'
import type { SagaDefinition } from '../saga-definition/resource.ts'
import { error, isKind } from './finding.ts'
import type { Finding, OfflineCheck } from './finding.ts'

type Step = SagaDefinition['spec']['steps'][number]

/** Steps that each step waits for: those it names, else the one before it. */
const predecessors = (steps: readonly Step[]): ReadonlyMap<string, readonly string[]> =>
  new Map(steps.map((step, i) => [step.name, step.after ?? steps.slice(Math.max(0, i - 1), i).map(previous => previous.name)]))

/** Steps that wait for each other never start. */
export const stepsCanStart: OfflineCheck = resource => {
  if (!isKind(resource, 'SagaDefinition')) return []
  const { steps } = (resource as SagaDefinition).spec
  const before = predecessors(steps)
  const settled = new Set<string>()
  // Take away what can start until nothing more can: what is left waits in a circle, or behind one.
  for (let found = true; found;) {
    const free = steps.filter(({ name }) => !settled.has(name) && (before.get(name) ?? []).every(other => settled.has(other)))
    for (const { name } of free) settled.add(name)
    found = free.length > 0
  }
  const at = steps.findIndex(({ name }) => !settled.has(name))
  const circle = steps.filter(({ name }) => !settled.has(name)).map(({ name }) => name)
  return at < 0
    ? []
    : [error(resource, `spec.steps[${at}].after`, `the steps ${circle.join(', ')} wait for each other: remove one of their after`)]
}

/** Behind the pivot there is no way back, so nothing there may need one. */
export const nothingIsUndoneBehindThePivot: OfflineCheck = resource => {
  if (!isKind(resource, 'SagaDefinition')) return []
  const { steps } = (resource as SagaDefinition).spec
  const pivot = steps.find(({ kind }) => kind === 'Pivot')?.name
  if (pivot === undefined) return []
  const before = predecessors(steps)
  const behind = new Set<string>([pivot])
  for (let grown = true; grown;) {
    const next = steps.filter(({ name }) => !behind.has(name) && (before.get(name) ?? []).some(other => behind.has(other)))
    for (const { name } of next) behind.add(name)
    grown = next.length > 0
  }
  return steps.flatMap((step, i): readonly Finding[] =>
    step.name !== pivot && behind.has(step.name) && (step.kind ?? 'Compensatable') === 'Compensatable'
      ? [
          error(
            resource,
            `spec.steps[${i}].kind`,
            `${step.name} runs after the Pivot ${pivot}, where nothing is undone any more: make it Retriable, or move it`,
          ),
        ]
      : [],
  )
}

/** An expression that does not parse would show only when the first saga starts. */
export const expressionsParse: OfflineCheck = resource => {
  if (!isKind(resource, 'SagaDefinition')) return []
  const { trigger, steps } = (resource as SagaDefinition).spec
  const expressions: readonly (readonly [string, string | undefined])[] = [
    ['spec.trigger.sagaId', trigger?.sagaId],
    ['spec.trigger.filter', trigger?.filter],
    ...steps.map((step, i) => [`spec.steps[${i}].when`, step.when] as const),
  ]
  return expressions.flatMap(([field, text]) => {
    if (text === undefined) return []
    try {
      parse(text)
      return []
    } catch (cause) {
      return [error(resource, field, `is not a CEL expression: ${String((cause as Error).message.split('\n')[0])}`)]
    }
  })
}
