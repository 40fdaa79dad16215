import type { KafkaLog } from '../../../src/kafka/log.ts'
import type { Cluster } from './cluster.ts'
import { ModelMember } from './member.ts'
import { ModelProducer } from './producer.ts'
import type { Faults } from './producer.ts'
import { ModelReader } from './reader.ts'
import { Remote } from './remote.ts'
import { realTime } from './time.ts'
import type { Host } from './time.ts'

export type { Faults } from './producer.ts'

/** The log port on the model, for the clients of one process. */
export function modelLog(cluster: Cluster, faults: Faults = {}, host: Host = realTime): KafkaLog {
  const remote = new Remote(cluster, host)
  /** To connect is to ask anyone anything. */
  const connected = <Client>(make: () => Client): Promise<Client> => remote.call('connect', 10_000, () => undefined).then(make)
  return {
    groupConsumer: options => connected(() => new ModelMember(remote, options)),
    reader: () => connected(() => new ModelReader(remote)),
    producer: ({ transactionalId, transactionTimeoutMs }) =>
      connected(() => new ModelProducer(remote, transactionalId, transactionTimeoutMs, faults)),
  }
}
