import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { load } from 'js-yaml'
import type { Resource } from '../api/resource.ts'
import { refOf } from '../api/resource.ts'
import type { AlertGroup } from '../operator/plan.ts'
import { RuleFiles } from './rule-files.ts'

const owner: Resource = { apiVersion: 'sluice.dev/v1alpha1', kind: 'DelayQueue', metadata: { namespace: 'shop', name: 'pay' }, spec: {} }
const group = (expr: string): AlertGroup => ({
  rules: [{ alert: 'Late', expr, for: '5m', severity: 'warning', summary: 's', description: 'd', runbook: 'https://r' }],
})

describe('RuleFiles', () => {
  let folder: string
  let rules: RuleFiles
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-rules-'))
    rules = new RuleFiles(join(folder, 'rules'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  test('should write a Prometheus rule file, and only when it differs', async () => {
    expect(await rules.apply(owner, 'dq-pay', group('up == 0'))).toBe('written')
    expect(await rules.apply(owner, 'dq-pay', group('up == 0'))).toBe('unchanged')
    expect(await rules.apply(owner, 'dq-pay', group('up == 1'))).toBe('written')
    expect(load(await readFile(join(folder, 'rules', 'shop.dq-pay.rules.yaml'), 'utf8'))).toEqual({
      groups: [
        {
          name: 'sluice.shop.dq-pay',
          rules: [
            {
              alert: 'Late',
              expr: 'up == 1',
              for: '5m',
              labels: { severity: 'warning', sluice_kind: 'DelayQueue', sluice_namespace: 'shop', sluice_name: 'pay' },
              annotations: { summary: 's', description: 'd', runbook_url: 'https://r' },
            },
          ],
        },
      ],
    })
  })

  test('should remove the file, twice if asked twice', async () => {
    await rules.apply(owner, 'dq-pay', group('up == 0'))
    await rules.remove(refOf(owner), 'dq-pay')
    await rules.remove(refOf(owner), 'dq-pay')
    expect(await readdir(join(folder, 'rules'))).toEqual([])
  })
})
