import { expect, test } from '@jest/globals'
import { createLogger } from '../observability/logger.ts'
import { systemClock } from '../observability/system-clock.ts'
import { Cluster } from '../../test/support/model/cluster.ts'
import { modelLog } from '../../test/support/model/model-log.ts'
import { Doorbell } from './doorbell.ts'
import type { Hosted } from './hosted.ts'
import { Searches } from './searches.ts'
import type { Search } from './task.ts'

interface Setting {
  readonly cluster: Cluster
  readonly searches: Searches
  readonly faults: unknown[]
  readonly closed: () => boolean
}

function setting(failures = 0): Setting {
  const cluster = new Cluster()
  for (const topic of ['t', 'u']) cluster.createTopic(topic, 1)
  const faults: unknown[] = []
  let closed = false
  let left = failures
  const searches = new Searches({
    open: async () => {
      const reader = await modelLog(cluster).reader()
      const poll = reader.poll.bind(reader)
      const close = reader.close.bind(reader)
      reader.poll = (max, waitMs) => (left-- > 0 ? Promise.reject(new Error('the client is of no more use')) : poll(max, waitMs))
      reader.close = () => {
        closed = true
        return close()
      }
      return reader
    },
    bell: new Doorbell(systemClock),
    clock: systemClock,
    logger: createLogger({ level: 'silent' }),
    fault: (_, error) => faults.push(error),
  })
  return { cluster, searches, faults, closed: () => closed }
}

function wished(from: Readonly<Record<string, number>>): {
  readonly search: Search
  readonly found: string[]
  readonly ended: Promise<void>
} {
  const found: string[] = []
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const search: Search = {
    from: new Map(Object.entries(from)),
    found: records => found.push(...records.map(({ topic, offset }) => `${topic}${offset}`)),
    ended: () => {
      resolve(undefined)
    },
  }
  return { search, found, ended: promise }
}

/** As much of a hosted task as a search sees. */
const hosting = (search: Search | undefined): Hosted =>
  ({ active: true, partition: 0, name: 'task', task: { search } }) as unknown as Hosted

const fill = (cluster: Cluster, topic: string, count: number): void => {
  for (let i = 0; i < count; i++) cluster.log({ topic, partition: 0 }).append({ key: null, value: null, headers: [] })
}

test('should hand over what stands from each position to the end, once, and say that this is all', async () => {
  const { cluster, searches, closed } = setting()
  fill(cluster, 't', 5)
  fill(cluster, 'u', 2)
  const { search, found, ended } = wished({ t: 3, u: 0 })
  const hosted = hosting(search)
  searches.look(hosted)
  searches.look(hosted)
  await ended
  expect(found.toSorted()).toEqual(['t3', 't4', 'u0', 'u1'])
  await searches.stop()
  expect(closed()).toBe(true)
})

test('should end at once where there is nothing to read', async () => {
  const { searches } = setting()
  const { search, ended } = wished({ t: 0 })
  searches.look(hosting(search))
  await ended
  await searches.stop()
})

test('should begin again with another reader when the first is of no more use', async () => {
  const { cluster, searches } = setting(1)
  fill(cluster, 't', 3)
  const { search, found, ended } = wished({ t: 0 })
  searches.look(hosting(search))
  await ended
  expect(found).toEqual(['t0', 't1', 't2'])
  await searches.stop()
})

test('should leave a task alone that is being given up', async () => {
  const { cluster, searches } = setting()
  fill(cluster, 't', 3)
  const { search, found } = wished({ t: 0 })
  const hosted = hosting(search)
  searches.look(hosted)
  searches.end(hosted)
  await searches.stop()
  expect(found).toEqual([])
})

test('should tell of a task that throws', async () => {
  const { cluster, searches, faults } = setting()
  fill(cluster, 't', 3)
  const { search, ended } = wished({ t: 0 })
  searches.look(
    hosting({
      ...search,
      found: () => {
        throw new Error('a defect')
      },
    }),
  )
  await ended
  expect(faults).toEqual([new Error('a defect')])
  await searches.stop()
})
