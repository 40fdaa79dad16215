import { describe, expect, test } from '@jest/globals'
import { FakeKafka } from '../../test/support/fakes/kafka-admin.ts'
import { KafkaError, type KafkaErrorCode } from '../kafka/errors.ts'
import { applyChanges, failureProblem } from './apply.ts'
import type { Change } from './plan.ts'

const set = (topic: string, key: string, to: string): Change => ({ type: 'setConfig', topic, key, from: null, to })
const create = (topic: string): Change => ({
  type: 'createTopic',
  topic,
  partitions: 2,
  replicationFactor: 1,
  configs: { 'retention.ms': '5' },
})

describe('applying changes', () => {
  test('should send each kind of change as one batch', async () => {
    const kafka = new FakeKafka()
    for (const name of ['a', 'b', 'c']) kafka.addTopic(name, { configs: { 'segment.ms': '7' } })
    const changes: readonly Change[] = [
      create('new'),
      { type: 'addPartitions', topic: 'a', from: 1, to: 4 },
      set('a', 'retention.ms', '1000'),
      { type: 'deleteConfig', topic: 'a', key: 'segment.ms', from: '7' },
      set('b', 'retention.ms', '1000'),
      { type: 'deleteTopic', topic: 'c' },
    ]
    const { done, failed } = await applyChanges(kafka.admin(), changes)
    expect(done).toEqual(changes)
    expect(failed).toEqual([])
    expect(kafka.writes).toEqual(['createTopics new', 'createPartitions a', 'alterConfigs a b', 'deleteTopics c'])
    expect([...kafka.topics.keys()]).toEqual(['a', 'b', 'new'])
    expect(kafka.topics.get('a')).toMatchObject({ partitions: 4, configs: new Map([['retention.ms', '1000']]) })
    expect(kafka.topics.get('new')).toMatchObject({ partitions: 2, configs: new Map([['retention.ms', '5']]) })
  })

  test('should not call anything when nothing changes', async () => {
    const kafka = new FakeKafka()
    await applyChanges(kafka.admin(), [])
    expect(kafka.totalRequests).toBe(0)
  })

  test('should report a refused topic and apply the others', async () => {
    const kafka = new FakeKafka()
    kafka.addTopic('good')
    kafka.addTopic('bad')
    const { done, failed } = await applyChanges(kafka.admin(), [set('bad', 'no.such.key', '1'), set('good', 'retention.ms', '1')])
    expect(done).toEqual([set('good', 'retention.ms', '1')])
    expect(failed).toMatchObject([{ change: { topic: 'bad' }, error: { code: 'InvalidConfig' } }])
  })

  test('should take a topic that appeared or went meanwhile as a reason to look again, not as a failure', async () => {
    const kafka = new FakeKafka()
    kafka.addTopic('here')
    const { failed, surprising } = await applyChanges(kafka.admin(), [create('here'), set('gone', 'retention.ms', '1')])
    expect(failed).toEqual([])
    expect(surprising).toEqual(['here', 'gone'])
  })

  test('should reject when the brokers are away', async () => {
    const kafka = new FakeKafka()
    kafka.down = 'BrokerUnreachable'
    await expect(applyChanges(kafka.admin(), [create('a')])).rejects.toMatchObject({ code: 'BrokerUnreachable' })
  })

  test('should not take silence for success', async () => {
    const admin = { ...new FakeKafka().admin(), createTopics: () => Promise.resolve(new Map()) }
    expect((await applyChanges(admin, [create('a')])).failed).toMatchObject([{ error: { code: 'Unexpected' } }])
  })

  test.each<{ code: KafkaErrorCode; severity: string; reason: string; next: RegExp }>([
    { code: 'InvalidConfig', severity: 'Stalled', reason: 'InvalidConfig', next: /correct the value/ },
    { code: 'PolicyViolation', severity: 'Stalled', reason: 'TopicFailed', next: /rule of the cluster/ },
    { code: 'InvalidReplicationFactor', severity: 'NotReady', reason: 'TopicFailed', next: /add brokers/ },
    { code: 'AuthorizationFailed', severity: 'NotReady', reason: 'AuthorizationFailed', next: /ACL/ },
    { code: 'Timeout', severity: 'NotReady', reason: 'TopicFailed', next: /trying again/ },
  ])('should say of $code that it is $severity and what to do', ({ code, severity, reason, next }) => {
    const problem = failureProblem([set('orders', 'retention.ms', 'x')], new KafkaError(code, 'refused', { retriable: false }))
    expect(problem).toMatchObject({ severity, reason })
    expect(problem.message).toMatch(/^cannot set retention.ms=x on topic "orders": refused/)
    expect(problem.message).toMatch(next)
  })
})
