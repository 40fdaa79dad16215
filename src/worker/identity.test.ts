import { describe, expect, test } from '@jest/globals'
import { copyKind } from '../../test/support/worker/copy-kind.ts'
import { Hosted } from './hosted.ts'
import { checkIds, notedIds } from './identity.ts'
import { encodeIds, TopicIdQueries } from './topic-ids.ts'

const family = { ...copyKind.tasks({ kind: 'Copy', name: 'copy', config: { prefix: 'c' } }, 'test'), sources: ['c.in', 'c.tier'] }
const hosted = new Hosted(family, 0)
const OLD = new Map([
  ['c.in', 'YYsI_qZTTPSE4qe2A4pi8g'],
  ['c.tier', '5ueJotrrQdqN07TDQXTusA'],
  ['c.journal', 'AbCdEfGhIjKlMnOpQrStUv'],
])
/** As a worker notes them. */
const BESIDE_INPUT = encodeIds(['c.in', 'c.tier', 'c.journal'], OLD)
const BESIDE_TIER = encodeIds(['c.tier', 'c.in'], OLD)
const begun = (...topics: readonly string[]) => new Map(topics.map(topic => [topic, OLD.get(topic)?.slice(0, 8) ?? '']))

describe('what is known of the topics of a task', () => {
  test.each([
    { when: 'both positions are there', notes: { 'c.in': BESIDE_INPUT, 'c.tier': BESIDE_TIER }, want: ['c.in', 'c.tier', 'c.journal'] },
    { when: 'brokers forgot that of the input', notes: { 'c.tier': BESIDE_TIER }, want: ['c.tier', 'c.in'] },
    { when: 'brokers forgot that of the tier', notes: { 'c.in': BESIDE_INPUT }, want: ['c.in', 'c.tier', 'c.journal'] },
    { when: 'a person moved the input', notes: { 'c.in': '', 'c.tier': BESIDE_TIER }, want: ['c.tier'] },
    { when: 'a person moved the tier', notes: { 'c.in': BESIDE_INPUT, 'c.tier': '' }, want: ['c.in', 'c.journal'] },
    { when: 'nothing was committed', notes: {}, want: [] },
  ])('should be what was noted, when $when', ({ notes, want }) => {
    expect(notedIds(hosted, new Map(Object.entries(notes)))).toEqual(begun(...want))
  })
})

describe('another id', () => {
  const noted = begun('c.in', 'c.tier', 'c.journal')

  test('should stop nothing when none is known, or all are the same', () => {
    expect(() => {
      checkIds(hosted, noted, OLD, 'group')
      checkIds(hosted, noted, new Map(), 'group')
      checkIds(hosted, new Map(), OLD, 'group')
    }).not.toThrow()
  })

  test.each([
    ['c.in', '--topic c.in --to earliest --execute`, delete c.journal, which told'],
    ['c.tier', '--topic c.tier --to earliest --execute'],
    ['c.journal', '--topic c.in --to shift-by 0 --execute'],
  ])('should stop the task, and say of %s what to do', (topic, next) => {
    const ids = new Map([...OLD, [topic, 'ZZZZZZZZZZZZZZZZZZZZZZ']])
    expect(() => {
      checkIds(hosted, noted, ids, 'group')
    }).toThrow(expect.objectContaining({ reason: 'TopicRecreated', message: expect.stringContaining(next) as unknown }))
    expect(() => {
      checkIds(hosted, noted, ids, 'group')
    }).toThrow(`began with ${OLD.get(topic)?.slice(0, 8) ?? ''} and is ZZZZZZZZZZZZZZZZZZZZZZ now`)
  })
})

test('should ask once for all who ask in the same moment, and know nothing when nobody answers', async () => {
  const asked: (readonly string[])[] = []
  const queries = new TopicIdQueries({
    topicIds: topics => {
      asked.push(topics)
      return asked.length === 1 ? Promise.resolve(OLD) : Promise.reject(new Error('away'))
    },
  })
  await Promise.all([queries.of(['a', 'b']), queries.of(['b', 'c'])])
  expect(asked).toEqual([['a', 'b', 'c']])
  expect(await queries.of(['a'])).toEqual(new Map())
})
