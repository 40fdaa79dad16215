import { subjectOf } from '../api/manifest.ts'
import type { Change, Problem } from '../operator/plan.ts'

export interface PlannedResource {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly changes: readonly Change[]
  readonly problems: readonly Problem[]
  /** The cluster could not be looked at. */
  readonly unknown: boolean
}

/** What would change, for people: `+` comes, `~` changes, `-` goes, `!` stands in the way. */
export function planText(planned: readonly PlannedResource[]): string {
  const blocks = planned.filter(resource => resource.changes.length > 0 || resource.problems.length > 0).map(block)
  return [...blocks, summary(planned)].join('\n\n')
}

function block(resource: PlannedResource): string {
  const changes = changeLines(resource.changes)
  const problems = resource.problems.map(({ severity, reason, message }) => `  ${severity === 'Warning' ? '?' : '!'} ${reason}: ${message}`)
  return [subjectOf(resource), ...changes, ...problems].join('\n')
}

function summary(planned: readonly PlannedResource[]): string {
  const changing = planned.filter(resource => resource.changes.length > 0)
  const changes = changing.reduce((sum, resource) => sum + resource.changes.length, 0)
  const inLine = planned.filter(
    resource => resource.changes.length === 0 && resource.problems.every(problem => problem.severity === 'Warning'),
  )
  return `${changes} changes by ${changing.length} of ${planned.length} resources; ${inLine.length} have nothing to change`
}

/** Changes to configs of one topic stand together below its name. */
function changeLines(changes: readonly Change[]): readonly string[] {
  const lines: string[] = []
  let topic: string | undefined
  for (const change of changes) {
    if (change.type === 'setConfig' || change.type === 'deleteConfig') {
      if (topic !== change.topic) lines.push(`  ~ topic ${change.topic}`)
      topic = change.topic
    } else topic = undefined
    lines.push(...linesOf(change))
  }
  return lines
}

function linesOf(change: Change): readonly string[] {
  switch (change.type) {
    case 'createTopic':
      return [
        `  + topic ${change.topic}: ${change.partitions} partitions, replication factor ${change.replicationFactor}`,
        ...Object.entries(change.configs).map(([key, value]) => `      ${key} = ${value}`),
      ]
    case 'addPartitions':
      return [`  ~ topic ${change.topic}: partitions ${change.from} -> ${change.to}`]
    case 'setConfig':
      return [`      ${change.key}: ${change.from ?? '(not told)'} -> ${change.to}`]
    case 'deleteConfig':
      return [`      ${change.key}: ${change.from ?? '(not told)'} -> (default of the cluster)`]
    case 'deleteTopic':
      return [`  - topic ${change.topic} and everything in it`]
    case 'applyObject':
      return [`  ~ ${change.object}: ${change.difference}`]
    case 'deleteObject':
      return [`  - ${change.object}`]
    default:
      return change satisfies never
  }
}
