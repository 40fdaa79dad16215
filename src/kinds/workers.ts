import { anyObject, choice, integer, intOrString, list, map, object, optional, text } from '../api/schema.ts'
import type { Of, Rule } from '../api/schema.ts'
import type { PodResources, PodTemplate, PoolWish } from '../operator/plan.ts'

const has = (node: 'self' | 'oldSelf'): string => `has(${node}.workers) && has(${node}.workers.pool)`

const QUANTITY_PATTERN = '^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$'
const quantities = (description: string) => map(description, intOrString('A quantity such as 500m, 2 or 512Mi.', QUANTITY_PATTERN, 32), 16)

const toleration = object('A taint that the pods accept.', {
  key: optional(text('Taint key.', 316)),
  operator: optional(choice('How to compare.', 'Exists', 'Equal')),
  value: optional(text('Taint value.', 63)),
  effect: optional(choice('Taint effect.', 'NoSchedule', 'PreferNoSchedule', 'NoExecute')),
  tolerationSeconds: optional(integer('How long to stay after a NoExecute taint.', 0, 2 ** 31 - 1)),
})

const label = text('Value.', 63)
const podTemplate = object('What the worker pods carry besides what Sluice sets.', {
  nodeSelector: optional(map('Labels that the node must have.', label, 32)),
  tolerations: optional(list('Taints that the pods accept.', toleration, 32)),
  affinity: optional(anyObject('Affinity of the pods, as in a Pod.')),
  priorityClassName: optional(text('Priority class of the pods.', 253)),
  annotations: optional(map('Annotations of the pods.', text('Value.', 4096), 32)),
  labels: optional(map('Labels of the pods.', label, 32)),
  serviceAccountName: optional(text('Service account of the pods; they need none.', 253)),
})

/** `spec.workers` of every kind that has workers. */
export const workers = object('The pods that do the work.', {
  replicas: optional(integer('Worker pods; no more work than there are partitions.', 0, 1000)),
  resources: optional(
    object('Requests and limits of each worker.', {
      requests: optional(quantities('Reserved for the pod.')),
      limits: optional(quantities('Most that the pod may use.')),
    }),
  ),
  podTemplate: optional(podTemplate),
  pool: optional(
    text('Share the pods with the other resources of this namespace that name the same pool.', 63, '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'),
  ),
})

/** `status.workers`. */
export const workersStatus = object('The workers, as last seen.', {
  desired: optional(integer('Workers wanted.', 0, 1000)),
  ready: optional(integer('Workers ready.', 0, 1000)),
  generation: optional(integer('Contract generation that every ready worker runs.', 0, Number.MAX_SAFE_INTEGER)),
})

export type WorkersSpec = Of<typeof workers>

/** Offsets belong to the group of the pool: under another group the same records would be read from the start of their topics. */
export const poolIsImmutable: Rule = {
  rule: `(${has('self')}) == (${has('oldSelf')}) && (!(${has('self')}) || self.workers.pool == oldSelf.workers.pool)`,
  message:
    'workers.pool cannot be changed: the position in the topics belongs to the pool; delete the resource with annotation sluice.dev/force-delete=true, which keeps its topics, and create it anew once its workers have let go of it',
  fieldPath: '.workers.pool',
}

/** What the resource asks of its pool, if it names one. */
export function poolWish(spec: WorkersSpec | undefined, defaultReplicas: number): PoolWish | undefined {
  if (spec?.pool === undefined) return undefined
  return { pool: spec.pool, replicas: spec.replicas ?? defaultReplicas, ...podShape(spec) }
}

/** Consumer group of a pool. Kafka names it; it must not tell two connections of one cluster apart, so that a resource may change its connection. */
export const poolGroup = (namespace: string, pool: string): string => `sluice.${namespace}.${pool}.pool`

const asText = (values: Readonly<Record<string, string | number>> | undefined) =>
  values && Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]))

/** The part of `spec.workers` that is handed to the platform as it is; quantities become text, as pods have them. */
export function podShape(spec: WorkersSpec | undefined): { readonly resources?: PodResources; readonly podTemplate?: PodTemplate } {
  const requests = asText(spec?.resources?.requests)
  const limits = asText(spec?.resources?.limits)
  return {
    ...(requests || limits ? { resources: { ...(requests && { requests }), ...(limits && { limits }) } } : {}),
    ...(spec?.podTemplate ? { podTemplate: spec.podTemplate } : {}),
  }
}
