import { expect, test } from '@jest/globals'
import type { KafkaTopicPolicySpec } from './resource.ts'
import { selection } from './selection.ts'

const spec = (rest: Omit<KafkaTopicPolicySpec, 'connectionRef'>): KafkaTopicPolicySpec => ({ connectionRef: { name: 'main' }, ...rest })

test.each<{ what: string; given: Omit<KafkaTopicPolicySpec, 'connectionRef'>; yes: readonly string[]; no: readonly string[] }>([
  { what: 'names exactly', given: { selector: { names: ['a', 'b'] } }, yes: ['a', 'b'], no: ['ab', ''] },
  { what: 'prefixes', given: { selector: { prefixes: ['shop.'] } }, yes: ['shop.orders', 'shop.'], no: ['shop', 'eshop.orders'] },
  { what: 'patterns', given: { selector: { patterns: ['*.dlq', 'v?.x'] } }, yes: ['a.dlq', 'v1.x'], no: ['dlq', 'v10.x'] },
  { what: 'everything', given: { selector: { all: true } }, yes: ['a', '_b'], no: ['__consumer_offsets'] },
  { what: 'all but the excluded', given: { selector: { all: true, exclude: ['tmp.*'] } }, yes: ['a'], no: ['tmp.a'] },
  {
    what: 'topics whatever is excluded',
    given: { topics: [{ name: 'tmp.a' }], selector: { prefixes: ['x'], exclude: ['*'] } },
    yes: ['tmp.a'],
    no: ['x1'],
  },
  { what: 'nothing by empty lists', given: { selector: { names: [], prefixes: [], patterns: [] } }, yes: [], no: ['a', ''] },
  {
    what: 'no internal topic, even by name',
    given: { selector: { names: ['__a'], patterns: ['*'] }, topics: [{ name: '__b' }] },
    yes: ['a'],
    no: ['__a', '__b'],
  },
])('should select $what', ({ given, yes, no }) => {
  const selects = selection(spec(given))
  expect(yes.filter(topic => !selects(topic))).toEqual([])
  expect(no.filter(topic => selects(topic))).toEqual([])
})
