import { confluentLog } from '../../../src/kafka/confluent-log.ts'

/** A member of a group with a long session, in a process of its own that is to be killed: `node ghost.ts BOOTSTRAP GROUP TOPIC CLIENT_ID`. Prints `assigned`. */
const [bootstrap = '', groupId = '', topic = '', clientId = ''] = process.argv.slice(2)
await confluentLog({ bootstrapServers: [bootstrap] }, { clientId }).groupConsumer({
  groupId,
  topics: [topic],
  sessionTimeoutMs: 300_000,
  assigned: partitions => {
    if (partitions.length > 0) console.log('assigned')
    return Promise.resolve()
  },
  revoked: () => Promise.resolve(),
  failed: error => {
    console.error(error)
  },
})
