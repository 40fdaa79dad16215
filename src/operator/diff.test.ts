import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { aTopicIntent, aTopicView, inherited, own } from '../../test/support/fakes/builders.ts'
import { diffTopics } from './diff.ts'
import type { TopicView } from './observed.ts'
import type { Change, TopicIntent } from './plan.ts'

const seen = (...views: TopicView[]) => ({ topics: new Map(views.map(view => [view.name, view])), vanishing: new Set<string>() })

describe('diff of topics', () => {
  test('should create a missing topic with the configs that have a value', () => {
    const intent = aTopicIntent({
      create: { partitions: 3, replicationFactor: 2 },
      configs: { 'retention.ms': '1000', 'segment.ms': null },
    })
    expect(diffTopics([intent], seen())).toEqual([
      { type: 'createTopic', topic: 'orders', partitions: 3, replicationFactor: 2, configs: { 'retention.ms': '1000' } },
    ])
  })

  test('should leave a missing topic alone when it may not create it or when it is vanishing', () => {
    expect(diffTopics([aTopicIntent()], seen())).toEqual([])
    const intent = aTopicIntent({ create: { partitions: 1, replicationFactor: 1 } })
    expect(diffTopics([intent], { topics: new Map(), vanishing: new Set(['orders']) })).toEqual([])
  })

  test.each<{ why: string; intent: TopicIntent; view: TopicView; want: readonly Change[] }>([
    {
      why: 'grow',
      intent: aTopicIntent({ partitions: 6 }),
      view: aTopicView(),
      want: [{ type: 'addPartitions', topic: 'orders', from: 3, to: 6 }],
    },
    { why: 'never shrink', intent: aTopicIntent({ partitions: 2 }), view: aTopicView(), want: [] },
    {
      why: 'set what differs',
      intent: aTopicIntent({ configs: { 'retention.ms': '2000' } }),
      view: aTopicView({ configs: { 'retention.ms': own('1000'), 'segment.ms': own('5') } }),
      want: [{ type: 'setConfig', topic: 'orders', key: 'retention.ms', from: '1000', to: '2000' }],
    },
    {
      why: 'accept an equal default',
      intent: aTopicIntent({ configs: { 'retention.ms': '1000' } }),
      view: aTopicView({ configs: { 'retention.ms': inherited('1000') } }),
      want: [],
    },
    {
      why: 'accept another spelling',
      intent: aTopicIntent({ configs: { 'cleanup.policy': 'compact,delete' } }),
      view: aTopicView({ configs: { 'cleanup.policy': own('delete,compact') } }),
      want: [],
    },
    {
      why: 'remove an own value',
      intent: aTopicIntent({ configs: { 'retention.ms': null } }),
      view: aTopicView({ configs: { 'retention.ms': own('1000') } }),
      want: [{ type: 'deleteConfig', topic: 'orders', key: 'retention.ms', from: '1000' }],
    },
    {
      why: 'not remove a default',
      intent: aTopicIntent({ configs: { 'retention.ms': null } }),
      view: aTopicView({ configs: { 'retention.ms': inherited('1000') } }),
      want: [],
    },
    {
      why: 'set a key the broker has not told of',
      intent: aTopicIntent({ configs: { 'no.such.key': '1' } }),
      view: aTopicView(),
      want: [{ type: 'setConfig', topic: 'orders', key: 'no.such.key', from: null, to: '1' }],
    },
  ])('should $why', ({ intent, view, want }) => {
    expect(diffTopics([intent], seen(view))).toEqual(want)
  })

  test('should find nothing once its own changes are applied', () => {
    const keys = fc.constantFrom('retention.ms', 'segment.ms', 'cleanup.policy')
    const values = fc.constantFrom('1', '2', 'compact,delete', 'delete,compact')
    const entries = fc.dictionary(keys, fc.oneof(values.map(own), values.map(inherited)))
    fc.assert(
      fc.property(fc.dictionary(keys, fc.option(values)), entries, fc.nat(9), (configs, before, partitions) => {
        const intent = aTopicIntent({ configs, partitions })
        const view = aTopicView({ configs: before })
        const after = apply(view, diffTopics([intent], seen(view)))
        expect(diffTopics([intent], seen(after))).toEqual([])
      }),
    )
  })
})

function apply(view: TopicView, changes: readonly Change[]): TopicView {
  return changes.reduce<TopicView>((topic, change) => {
    const configs = new Map(topic.configs)
    if (change.type === 'addPartitions') return { ...topic, partitions: change.to }
    if (change.type === 'setConfig') configs.set(change.key, own(change.to))
    if (change.type === 'deleteConfig') configs.set(change.key, inherited('default'))
    return { ...topic, configs }
  }, view)
}
