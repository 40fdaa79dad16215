import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { DeadLetterPipeline } from '../../../src/kinds/dead-letter-pipeline/resource.ts'
import type { DeadLetterRedrive } from '../../../src/kinds/dead-letter-redrive/resource.ts'
import { startChromium } from '../../support/chromium.ts'
import type { Browser, Page } from '../../support/chromium.ts'
import { readCommitted } from '../../support/delay-queue/java-reader.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'
import { readiness, startSluiceRun } from '../../support/sluice-run.ts'
import type { SluiceRun } from '../../support/sluice-run.ts'

const PICTURES = join(import.meta.dirname, '../../../build/console')
const TIMEOUTS = 200
const REFUSALS = 80
const FRAUDS = 5
const HOSTILE = `<script>document.title='owned'</script><img src=x onerror="document.title='owned'">`
jest.setTimeout(180_000)

let kafka: Kafka
let run: SluiceRun
let browser: Browser
let page: Page
let address: string

beforeAll(async () => {
  await mkdir(PICTURES, { recursive: true })
  ;[kafka, browser] = await Promise.all([startKafka(), startChromium()])
  page = browser.page
  run = await startSluiceRun(kafka.bootstrap, ['--console', '127.0.0.1:0'])
  await run.apply('KafkaConnection', 'main', { bootstrapServers: [kafka.bootstrap], defaults: { replicationFactor: 1 } })
  await run.apply('KafkaTopicPolicy', 'orders', { connectionRef: { name: 'main' }, topics: [{ name: 'orders', partitions: 2 }] })
  await run.apply('DeadLetterPipeline', 'billing', {
    connectionRef: { name: 'main' },
    source: { topic: 'orders', group: 'billing' },
    delivery: { topic: {} },
    rules: [{ match: { errorClass: ['com.example.Fraud'] }, action: 'DeadLetter', deadLetterTopic: 'billing.fraud' }],
  })
  await run.settled('DeadLetterPipeline', 'billing', one => readiness(one) === 'Ready', 90_000)
  await die()
  const port = /Console +http:\/\/localhost:(\d+)/.exec(run.printed())?.[1]
  address = `http://localhost:${port}/`
}, 180_000)

afterAll(async () => {
  await browser.close()
  await run.stop()
  await kafka.stop()
})

/** What a pipeline leaves behind of an application that times out, and that refuses some. */
async function die(): Promise<void> {
  const producer = new KafkaJs({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).producer({ idempotent: true })
  await producer.connect()
  const dead = (id: number, errorClass: string, message: string, fingerprint: string, more: Readonly<Record<string, string>> = {}) => ({
    key: `customer-${id % 40}`,
    value: JSON.stringify({ order: id, total: 12.5, note: HOSTILE }),
    partition: id % 2,
    headers: {
      'sluice-disposition': 'exhausted',
      'sluice-attempt': '4',
      'sluice-error-class': errorClass,
      'sluice-error-message': message,
      'sluice-error-stack': `${errorClass}: ${message}\n    at charge (billing.ts:41:13)\n    at handle (consumer.ts:18:7)`,
      'sluice-error-fingerprint': fingerprint,
      'sluice-origin-topic': 'orders',
      'sluice-origin-partition': String(id % 2),
      'sluice-origin-offset': String(id),
      ...more,
    },
  })
  const timeouts = Array.from({ length: TIMEOUTS }, (_, id) =>
    dead(id, 'com.example.PaymentTimeout', `no answer from the bank for order ${id} within 5 s`, '9f2c41d07b6a11e3'),
  )
  const refusals = Array.from({ length: REFUSALS }, (_, id) =>
    dead(1000 + id, 'com.example.CardRefused', `card of order ${1000 + id} is refused`, '5be0cd19137e2179', { region: 'emea' }),
  )
  const hostile = dead(5000, HOSTILE, `${HOSTILE} \u202egnp.exe`, 'c0ffee', { 'x-hostile': HOSTILE, region: 'apac' })
  await producer.send({ topic: 'default.billing.dlq', messages: [...timeouts, ...refusals, hostile] })
  const frauds = Array.from({ length: FRAUDS }, (_, id) => dead(9000 + id, 'com.example.Fraud', `order ${9000 + id} smells`, 'f4a0d'))
  await producer.send({ topic: 'billing.fraud', messages: frauds })
  await producer.disconnect()
}

const inTable = (text: string): string => `tr:has(td)${text}`

describe('the console on dead letters', () => {
  test('should lead from the pipelines to the failures of one, grouped by fingerprint', async () => {
    await page.resize(1280, 860)
    await page.goto(address)
    await page.sees('h1', 'Dead letters')
    expect(await page.sees(inTable(''), 'default/billing')).toContain('orders')
    // By the keyboard alone: the content has the focus when a page is shown.
    await page.press('Tab')
    await page.press('Enter')
    await page.sees('p', `${TIMEOUTS + REFUSALS + 1} dead letters, 3 kinds of failures`)
    const first = await page.evaluate<string>(`document.querySelector('tbody tr').innerText`)
    expect(first).toContain('com.example.PaymentTimeout')
    expect(first).toContain(String(TIMEOUTS))
    await page.screenshot(join(PICTURES, 'groups.png'))
  })

  test('should filter records by header and class, page through them, and hold what is hostile as text', async () => {
    await page.click('nav a', 'Records')
    await page.sees('p', '100 records')
    await page.click('button', 'Show more')
    await page.sees('p', '200 records')
    await page.type('input[name=header]', 'region')
    await page.type('input[name=value]', 'emea')
    await page.press('Enter')
    await page.sees('p', `${REFUSALS} records`)
    expect(await page.evaluate<string>(`[...document.querySelectorAll('tbody tr')].map(row => row.innerText).join()`)).not.toContain(
      'PaymentTimeout',
    )
    await page.screenshot(join(PICTURES, 'records.png'))
    await page.click('button', 'Clear')
    await page.sees('p', '100 records')
    await page.type('input[name=header]', 'x-hostile')
    await page.press('Enter')
    await page.sees('p', '1 record')
    expect(await page.evaluate<string>(`document.querySelector('tbody tr').innerText`)).toContain('<script>')
  })

  test('should show one record, whose headers and payload hold a script, and the payload only when asked', async () => {
    await page.click('tbody a')
    await page.sees('h1', 'Record')
    await page.sees('td', 'x-hostile')
    expect(await page.evaluate<string>('document.body.innerText')).not.toContain('"order"')
    await page.click('button', 'Show the payload')
    await page.sees('pre', '"order": 5000')
    await page.screenshot(join(PICTURES, 'record.png'))
    expect(await page.evaluate('document.title')).not.toBe('owned')
    expect(await page.evaluate('document.querySelectorAll("main script, main img").length')).toBe(0)
    expect(page.problems()).toEqual([])
  })

  test('should tell in a dry run what a redrive would move, and move that when it is confirmed', async () => {
    await page.goto(`${address}#/pipelines/default/billing/groups?class=com.example.PaymentTimeout`)
    await page.sees('p', `${TIMEOUTS} dead letters, 1 kind of failure`)
    await page.click('tbody a', 'Redrive')
    await page.sees('h1', 'Redrive')
    await page.click('button', 'Dry run')
    await page.sees('h2', `Dry run: ${TIMEOUTS} records would be moved`)
    await page.screenshot(join(PICTURES, 'dry-run.png'))
    expect(await readCommitted(kafka.bootstrap, 'default.billing.redelivery', 1_000)).toHaveLength(0)
    await page.click('button', `Redrive ${TIMEOUTS} records`)
    await page.sees('h1', 'default/billing')
    await page.sees('tbody tr', 'Completed', 90_000)
    await page.screenshot(join(PICTURES, 'redrives.png'))
    const name = await page.evaluate<string>(`document.querySelector('tbody .strong').textContent`)
    const redrive = await run.settled<DeadLetterRedrive>('DeadLetterRedrive', name, ({ status }) => status?.phase === 'Completed')
    expect(redrive.status).toMatchObject({ matched: TIMEOUTS, sent: TIMEOUTS, skipped: 0, failed: 0 })
    expect(redrive.metadata.annotations?.['sluice.dev/requested-by']).toBe('console')
    const moved = await eventually(
      'the redelivered',
      async () => {
        const records = await readCommitted(kafka.bootstrap, 'default.billing.redelivery', 8_000)
        return records.length >= TIMEOUTS ? records : undefined
      },
      60_000,
    )
    expect(moved).toHaveLength(TIMEOUTS)
  })

  test('should redrive the dead letter topic of a rule as well', async () => {
    await page.goto(`${address}#/pipelines/default/billing/groups?topic=billing.fraud`)
    await page.sees('p', `${FRAUDS} dead letters, 1 kind of failure`)
    await page.click('tbody a', 'Redrive')
    await page.sees('h1', 'Redrive')
    await page.click('button', 'Dry run')
    await page.click('button', `Redrive ${FRAUDS} records`)
    await eventually(
      'two that are completed',
      async () => (await page.evaluate<string>('document.body.innerText')).split('Completed').length === 3,
      90_000,
    )
    const [redrive] = await page.evaluate<readonly string[]>(`[...document.querySelectorAll('tbody .strong')].map(one => one.textContent)`)
    expect((await run.read<DeadLetterRedrive>('DeadLetterRedrive', redrive ?? ''))?.status).toMatchObject({
      sent: FRAUDS,
      histogram: [{ fingerprint: 'f4a0d' }],
    })
  })

  test('should show in the list, as the status says it, how many wait for somebody', async () => {
    const { status } = await run.settled<DeadLetterPipeline>(
      'DeadLetterPipeline',
      'billing',
      one => one.status?.deadLetters?.count === REFUSALS + 1,
      90_000,
    )
    expect(status?.deadLetters).toMatchObject({
      byFingerprint: [
        { fingerprint: '5be0cd19137e2179', count: REFUSALS },
        { fingerprint: 'c0ffee', count: 1 },
      ],
    })
    await page.goto(address)
    await page.sees('tr', `${REFUSALS + 1}`)
    await page.screenshot(join(PICTURES, 'pipelines.png'))
  })

  test('should show what is left, in the dark and on a phone', async () => {
    await page.resize(390, 800, true)
    await page.goto(`${address}#/pipelines/default/billing/groups`)
    await page.sees('p', `${TIMEOUTS + REFUSALS + 1} dead letters`)
    await page.screenshot(join(PICTURES, 'phone.png'))
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390)
    expect(page.problems()).toEqual([])
  })
})
