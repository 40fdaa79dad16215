import type { Clock } from '../api/clock.ts'
import { refOf, type Resource, type ResourceRef } from '../api/resource.ts'
import type { AlertSink } from '../operator/ports.ts'
import type { AlertGroup, AlertRule } from '../operator/plan.ts'
import type { Applier } from './apply.ts'
import type { KubernetesClient } from './client.ts'
import { hasCode } from './errors.ts'
import { pathOf, PROMETHEUS_RULES, type KubernetesObject } from './object.ts'
import { ownedLabels, ownerReference } from './ownership.ts'

export interface AlertOptions {
  readonly client: KubernetesClient
  readonly applier: Applier
  readonly clock: Clock
  /** Added to every rule, for Prometheus instances that select rules by label. */
  readonly labels: Readonly<Record<string, string>>
  /** How long an answer about the existence of the kind is believed. */
  readonly discoveryMs: number
}

/** Alert rules as PrometheusRule objects, one per resource. Where the cluster does not know the kind they are skipped. */
export function createAlertSink(options: AlertOptions): AlertSink {
  const { client, applier } = options
  const kindExists = createDiscovery(options)

  async function read(namespace: string, name: string): Promise<KubernetesObject | undefined> {
    try {
      return (await client.send({ method: 'GET', path: pathOf(PROMETHEUS_RULES, namespace, name) })) as KubernetesObject
    } catch (error) {
      if (hasCode(error, 'NotFound')) return undefined
      throw error
    }
  }

  return {
    async apply(owner, name, group) {
      if (!(await kindExists())) return 'skipped'
      const live = await read(owner.metadata.namespace, name)
      const stored = await applier.apply(PROMETHEUS_RULES, ruleObject(owner, name, group, options.labels), live)
      return stored === undefined ? 'unchanged' : 'written'
    },
    async remove(owner: ResourceRef, name) {
      if (!(await kindExists())) return
      try {
        await client.send({ method: 'DELETE', path: pathOf(PROMETHEUS_RULES, owner.namespace, name) })
      } catch (error) {
        if (!hasCode(error, 'NotFound')) throw error
      }
    },
  }
}

/** Answers whether the API server knows PrometheusRule; asks again after a while, since Prometheus may be installed later. */
function createDiscovery({ client, clock, discoveryMs }: AlertOptions): () => Promise<boolean> {
  let known: { readonly exists: boolean; readonly untilMs: number } | undefined
  return async () => {
    if (known !== undefined && clock.monotonicMs() < known.untilMs) return known.exists
    const exists = await servesRules(client)
    known = { exists, untilMs: clock.monotonicMs() + discoveryMs }
    return exists
  }
}

async function servesRules(client: KubernetesClient): Promise<boolean> {
  try {
    const group = (await client.send({ method: 'GET', path: `/apis/${PROMETHEUS_RULES.apiVersion}` })) as {
      readonly resources?: readonly { readonly name: string }[]
    }
    return group.resources?.some(resource => resource.name === PROMETHEUS_RULES.plural) ?? false
  } catch (error) {
    if (hasCode(error, 'NotFound')) return false
    throw error
  }
}

/** The PrometheusRule of a resource. */
export function ruleObject(owner: Resource, name: string, group: AlertGroup, labels: Readonly<Record<string, string>>): KubernetesObject {
  const { kind, namespace } = refOf(owner)
  return {
    apiVersion: PROMETHEUS_RULES.apiVersion,
    kind: PROMETHEUS_RULES.kind,
    metadata: { name, namespace, labels: { ...labels, ...ownedLabels(refOf(owner)) }, ownerReferences: [ownerReference(owner)] },
    spec: { groups: [{ name: `sluice.${kind}.${namespace}.${owner.metadata.name}`, rules: group.rules.map(rule) }] },
  }
}

const rule = (alert: AlertRule): object => ({
  alert: alert.alert,
  expr: alert.expr,
  for: alert.for,
  labels: { severity: alert.severity },
  annotations: { summary: alert.summary, description: alert.description, runbook_url: alert.runbook },
})
