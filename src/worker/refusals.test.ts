import { expect, test } from '@jest/globals'
import { KafkaError } from '../kafka/errors.ts'
import type { GroupConsumer, OutgoingRecord, Refusal, TransactionalProducer } from '../kafka/log.ts'
import { createLogger } from '../observability/logger.ts'
import { createMetrics } from '../observability/metrics.ts'
import { systemClock } from '../observability/system-clock.ts'
import { copyKind } from '../../test/support/worker/copy-kind.ts'
import { Doorbell } from './doorbell.ts'
import { Hosted } from './hosted.ts'
import { WorkerMetrics } from './metrics.ts'
import { TopicRouting } from './routing.ts'
import { Transactions } from './transactions.ts'

const REFUSED: Refusal = { topic: 'small', partition: 0, code: 'MessageTooLarge', message: 'too large' }

/** The second record cannot be sent: the client says `code`, while the brokers have refused something for `REFUSED`. */
async function rejectedBy(code: KafkaError['code']): Promise<readonly OutgoingRecord[]> {
  const hosted = new Hosted(copyKind.tasks({ kind: 'Copy', name: 'copy', config: { prefix: 'c' } }, 'test'), 0)
  const rejected: OutgoingRecord[] = []
  const outputs = ['other', 'small'].map(topic => ({ topic, partition: 0, key: null, value: Buffer.from('v'), headers: [] }))
  Object.assign(hosted, { claimed: true, state: 'running' })
  Object.assign(hosted.task, {
    propose: () => ({ outputs: [outputs[1], outputs[0]], offsets: [], token: undefined }),
    rejected: (record: OutgoingRecord) => rejected.push(record),
  })
  const settled = Promise.withResolvers<undefined>()
  const producer = {
    begin: () => Promise.resolve(),
    send: (record: OutgoingRecord) => {
      if (record.topic === 'other') throw new KafkaError(code, 'cannot send', { retriable: false })
    },
    abort: () => {
      settled.resolve(undefined)
      return Promise.resolve()
    },
    refusals: () => [code === 'Unexpected' ? REFUSED : { ...REFUSED, topic: 'other' }],
  } as unknown as TransactionalProducer
  const bell = new Doorbell(systemClock)
  const transactions = new Transactions({
    producer,
    transactionalId: 'a',
    member: () => ({}) as GroupConsumer,
    tasks: () => [hosted],
    routing: new TopicRouting(producer, systemClock, () => undefined),
    bell,
    clock: systemClock,
    metrics: new WorkerMetrics(createMetrics(), [hosted.family], systemClock),
    logger: createLogger({ level: 'silent' }),
    advanced: () => undefined,
    stop: (_, error) => {
      throw error
    },
    failed: error => {
      throw error
    },
  })
  const run = transactions.run()
  await settled.promise
  await transactions.stop()
  await run
  return rejected
}

test('should not blame the record that could not be sent because another had been refused before', async () => {
  expect(new Set((await rejectedBy('Unexpected')).map(({ topic }) => topic))).toEqual(new Set(['small']))
})

test('should blame the record that the client itself refuses', async () => {
  expect(new Set((await rejectedBy('MessageTooLarge')).map(({ topic }) => topic))).toEqual(new Set(['other']))
})
