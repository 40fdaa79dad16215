import type { Rule } from './rule.ts'

/** With as many in-sync replicas required as there are, one broker that restarts stops every producer that waits for all. */
export const minIsrNotBelowReplication: Rule = {
  code: 'MinIsrNotBelowReplication',
  about: ['min.insync.replicas'],
  needs: [],
  judge: topic => {
    const required = topic.number('min.insync.replicas')
    // One replica that must be in sync is no promise to break.
    if (required === undefined || required <= 1 || required < topic.replicationFactor) return undefined
    const effect = required > topic.replicationFactor ? 'nothing can be written with acks=all' : 'no broker may ever be away'
    return `min.insync.replicas ${required} with ${topic.replicationFactor} replicas: ${effect}; lower it, or add replicas`
  },
}
