import { expect, test } from '@jest/globals'
import { createLogger } from './logger.ts'
import { createMetrics } from './metrics.ts'

test('should write one JSON line with level, time, fields and the causes of an error', () => {
  const lines: string[] = []
  const logger = createLogger({ level: 'info', fields: { app: 'sluice' } }, { write: line => void lines.push(line) })
  logger.debug({}, 'Not shown')
  logger.child({ resource: 'a' }).warn({ err: new Error('outer', { cause: new Error('inner') }) }, 'Went wrong')
  expect(lines).toHaveLength(1)
  expect(JSON.parse(lines[0]!)).toMatchObject({
    level: 'warn',
    app: 'sluice',
    resource: 'a',
    msg: 'Went wrong',
    err: { message: 'outer', cause: { message: 'inner' } },
  })
})

test('should show a declared metric from the first scrape and refuse to declare it twice', async () => {
  const metrics = createMetrics()
  const counter = metrics.counter({ name: 'things_total', help: 'Things.', labels: ['kind'], zero: [{ kind: 'a' }] })
  metrics.gauge({
    name: 'level',
    help: 'Level.',
    collect: gauge => {
      gauge.set(7)
    },
  })
  metrics.histogram({ name: 'seconds', help: 'Seconds.', buckets: [1, 2], zero: [{}] }).observe(1.5)
  expect((await metrics.expose()).body).toContain('things_total{kind="a"} 0')
  counter.inc({ kind: 'a' }, 2)
  const { body } = await metrics.expose()
  expect(body).toContain('things_total{kind="a"} 2')
  expect(body).toContain('level 7')
  expect(body).toContain('seconds_bucket{le="2"} 1')
  expect(metrics.names()).toEqual(['level', 'seconds', 'things_total'])
  expect(() => metrics.counter({ name: 'level', help: '' })).toThrow()
})
