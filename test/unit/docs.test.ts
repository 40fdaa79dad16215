import { globSync, readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { REASONS } from '../../src/api/reasons.ts'
import { kinds } from '../../src/kinds/index.ts'
import { createMetrics } from '../../src/observability/metrics.ts'
import { operatorMetrics } from '../../src/operator/metrics.ts'

const METRIC = /'((?:sluice|workqueue|controller_runtime)_[a-z_]+)'/g

const rows = (file: string) => [...readFileSync(file, 'utf8').matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name!)

test('should list every reason of conditions and Events with its meaning, and no other', () => {
  const page = readFileSync('docs/conditions.md', 'utf8')
  const [, reasons = ''] = page.split('## Reasons')
  expect([...reasons.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].map(([, reason, meaning]) => [reason, meaning])).toEqual(
    Object.entries(REASONS),
  )
})

test('should list every metric of the code, and no other', () => {
  const sources = globSync('src/**/*.ts').filter(file => !file.endsWith('.test.ts'))
  const inCode = new Set(sources.flatMap(file => [...readFileSync(file, 'utf8').matchAll(METRIC)].map(([, name]) => name!)))
  expect(rows('docs/metrics.md').toSorted()).toEqual([...inCode].sort())
})

test('should list what the operator declares, with its labels', async () => {
  const metrics = createMetrics()
  const names = kinds.map(({ definition }) => definition.kind)
  operatorMetrics(metrics, { kinds: names, concurrency: 8, runningMs: () => [], isLeader: () => true })
  expect(rows('docs/metrics.md')).toEqual(expect.arrayContaining([...metrics.names()]))
  const { body } = await metrics.expose()
  for (const kind of names) expect(body).toContain(`controller_runtime_reconcile_total{controller="${kind}",result="error"} 0`)
  expect(body).toContain('workqueue_queue_duration_seconds_count{name="sluice"} 0')
})
