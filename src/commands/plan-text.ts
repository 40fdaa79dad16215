import { subjectOf } from '../api/manifest.ts'
import { formatSize } from '../api/size.ts'
import type { Brings } from '../operator/operator.ts'
import type { Change, Problem, Warning } from '../operator/plan.ts'

export interface PlannedResource {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly changes: readonly Change[]
  readonly problems: readonly Problem[]
  readonly warnings?: readonly Warning[]
  readonly brings?: Brings
  /** The cluster could not be looked at. */
  readonly unknown: boolean
}

/**
 * What would change, for people: `+` comes, `~` changes, `-` goes, `!` stands in the way, `?` deserves a thought, `=` is said of the whole. Resources that have nothing to change are
 * left out but with `all`.
 */
export function planText(planned: readonly PlannedResource[], all = false): string {
  const tells = ({ changes, problems, warnings = [], brings }: PlannedResource): boolean =>
    changes.length > 0 || problems.length > 0 || warnings.length > 0 || (all && brings !== undefined)
  const blocks = planned.filter(tells).map(block)
  return [...blocks, summary(planned)].join('\n\n')
}

function block(resource: PlannedResource): string {
  const changes = changeLines(resource.changes)
  const problems = resource.problems.map(({ severity, reason, message }) => `  ${severity === 'Warning' ? '?' : '!'} ${reason}: ${message}`)
  const warnings = (resource.warnings ?? []).map(
    ({ code, topic, message }) => `  ? ${code}: ${topic === undefined ? '' : `topic ${topic}: `}${message}`,
  )
  return [subjectOf(resource), ...changes, ...problems, ...warnings, ...broughtLines(resource.brings)].join('\n')
}

/** Not changes: whether workers and alerts are there already is not seen from here. */
function broughtLines(brings: Brings | undefined): readonly string[] {
  const { workers, alerts, cost } = brings ?? {}
  return [
    ...(workers
      ? [
          `workers: ${workers.replicas} in group ${workers.group}, each with at most ${formatSize(workers.memoryBudgetBytes)} of records in memory`,
        ]
      : []),
    ...(alerts ? [`alerts: ${alerts.join(', ')}`] : []),
    ...(cost?.lines ?? []).map(line => `cost: ${line}`),
  ].map(line => `  = ${line}`)
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
