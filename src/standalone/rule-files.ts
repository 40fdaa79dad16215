import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { dump } from 'js-yaml'
import type { Resource, ResourceRef } from '../api/resource.ts'
import type { AlertGroup, AlertRule } from '../operator/plan.ts'
import type { AlertSink } from '../operator/ports.ts'
import { writeWhole } from './whole-file.ts'

/** Alert rules as Prometheus rule files in one folder: point `rule_files` at `<folder>/*.rules.yaml`. */
export class RuleFiles implements AlertSink {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async apply(owner: Resource, name: string, group: AlertGroup): Promise<'written' | 'unchanged'> {
    const file = this.#file(owner.metadata.namespace, name)
    const text = ruleFile(owner, name, group)
    if ((await readFile(file, 'utf8').catch(() => undefined)) === text) return 'unchanged'
    await mkdir(this.#folder, { recursive: true })
    await writeWhole(file, text)
    return 'written'
  }

  async remove(owner: ResourceRef, name: string): Promise<void> {
    await rm(this.#file(owner.namespace, name), { force: true })
  }

  #file(namespace: string, name: string): string {
    return join(this.#folder, `${namespace}.${name}.rules.yaml`)
  }
}

/** Text of a rule file as `promtool check rules` wants it. */
export function ruleFile(owner: Resource, name: string, group: AlertGroup): string {
  const labels = { sluice_kind: owner.kind, sluice_namespace: owner.metadata.namespace, sluice_name: owner.metadata.name }
  const rules = group.rules.map(rule => prometheusRule(rule, labels))
  return dump({ groups: [{ name: `sluice.${owner.metadata.namespace}.${name}`, rules }] }, { lineWidth: -1 })
}

const prometheusRule = (rule: AlertRule, labels: Readonly<Record<string, string>>) => ({
  alert: rule.alert,
  expr: rule.expr,
  for: rule.for,
  labels: { severity: rule.severity, ...labels },
  annotations: { summary: rule.summary, description: rule.description, runbook_url: rule.runbook },
})
