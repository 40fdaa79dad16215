import { expect, test } from '@jest/globals'
import { scenarios } from '../conformance/scenarios.ts'
import { Stage } from '../conformance/stage.ts'
import type { Kafka, TopicOptions } from '../conformance/stage.ts'
import { Cluster } from '../support/model/cluster.ts'
import { modelLog } from '../support/model/model-log.ts'

/** The model of Kafka, as the scenarios want it. `test/integration/kafka/conformance.test.ts` plays them on a real one. */
function model(): Kafka {
  const cluster = new Cluster()
  const limits = new Map<string, number>()
  const refuses = ({ topic, value }: { topic: string; value: Buffer | null }): 'MessageTooLarge' | undefined =>
    (value?.length ?? 0) > (limits.get(topic) ?? Infinity) ? 'MessageTooLarge' : undefined
  return {
    log: modelLog(cluster, { refuses }),
    createTopic: (name: string, { partitions = 1, maxMessageBytes }: TopicOptions) => {
      cluster.createTopic(name, partitions)
      if (maxMessageBytes !== undefined) limits.set(name, maxMessageBytes)
      return Promise.resolve()
    },
    deleteTopic: name => {
      cluster.deleteTopic(name)
      return Promise.resolve()
    },
    deleteBefore: (partition, offset) => {
      cluster.log(partition).low = offset
      return Promise.resolve()
    },
    compact: partition => {
      const log = cluster.log(partition)
      log.compact(log.high, 86_400_000)
      return Promise.resolve()
    },
  }
}

test.each(scenarios)(
  'should play as Kafka does: $name',
  async ({ name, play, sees }) => {
    const stage = new Stage(model(), name)
    try {
      expect(await play(stage)).toEqual(sees)
    } finally {
      await stage.close()
    }
  },
  30_000,
)
