import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { alerts } from '../../../src/kinds/dead-letter-redrive/alerts.ts'
import { METRIC } from '../../../src/kinds/dead-letter-redrive/metrics.ts'
import { aRedriveConfig } from '../../support/dead-letter-redrive.ts'
import { checkRules, firing } from '../../support/chart.ts'
import type { RuleGroup } from '../../support/chart.ts'

const config = aRedriveConfig()
const groups: readonly RuleGroup[] = [
  {
    name: 'shop.heal',
    rules: alerts(config).rules.map(({ alert, expr, for: lasting, severity, summary, description, runbook }) => ({
      alert,
      expr,
      for: lasting,
      labels: { severity },
      annotations: { summary, description, runbook_url: runbook },
    })),
  },
]
const series = (moved: string) => ({
  [`${METRIC.remaining}{redrive="${config.run}",partition="0"}`]: '100x60',
  [`${METRIC.records}{redrive="${config.run}",outcome="sent"}`]: moved,
})

const example = { alert: 'SluiceRedriveStalled', bad: series('7x60'), good: series('0+1x60') }

describe('the alert of a dead letter redrive', () => {
  test('should pass promtool, and have an example and a runbook', async () => {
    expect(await checkRules(groups)).toContain('SUCCESS')
    expect(groups.flatMap(({ rules }) => rules.map(({ alert }) => alert))).toEqual([example.alert])
    expect(existsSync(join(import.meta.dirname, `../../../docs/runbooks/${example.alert}.md`))).toBe(true)
  })

  test('should fire when it must, with a readable text', async () => {
    const text = await firing(groups, { alert: example.alert, series: example.bad, at: '25m' })
    expect(text).toContain('shop/heal')
    expect(text).not.toMatch(/<no value>|<error/)
  })

  test('should keep quiet when it may', async () => {
    expect(await firing(groups, { alert: example.alert, series: example.good, at: '25m' })).toBeUndefined()
  })
})
