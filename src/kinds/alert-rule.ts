import type { AlertRule } from '../operator/plan.ts'

/** A rule whose runbook is the page of its name. */
export const rule = (alert: string, body: Omit<AlertRule, 'alert' | 'runbook'>): AlertRule => ({
  alert,
  ...body,
  runbook: `https://github.com/sluice-dev/sluice/blob/main/docs/runbooks/${alert}.md`,
})
