import type { ContractResource } from '../../worker/contract.ts'
import type { TaskFamily, WorkedKind } from '../../worker/task.ts'
import type { EngineConfig } from '../delay-queue/protocol.ts'
import { DelayTask } from '../delay-queue/task.ts'
import { parseConfig } from './config.ts'
import { Application } from './http/application.ts'
import { CallTask } from './http/call-task.ts'
import { CallObservations } from './http/observed.ts'
import { Judge } from './judge.ts'
import { callMetrics, metrics, watchMetrics } from './metrics.ts'
import { RetryProtocol } from './retry-protocol.ts'
import { WatchTask } from './watch/watch-task.ts'

/** With `delivery.http`: what the application would read, the source and what comes back. */
function callFamilies(resource: ContractResource, namespace: string): readonly TaskFamily[] {
  const config = parseConfig(resource.name, resource.config)
  const { http } = config
  if (http === undefined) return []
  const name = `${namespace}/${resource.name}`
  // One application, whichever topic a record comes from.
  const application = new Application(http.breaker, http.target.timeoutMs)
  const judge = new Judge(config)
  const family = (topic: string, states: readonly string[]): TaskFamily => {
    const observations = new CallObservations(name)
    const parts = { pipeline: { namespace, name: resource.name }, config: { ...config, http }, topic, application, judge, observations }
    return {
      resource: { kind: 'DeadLetterPipeline', namespace, name: resource.name },
      input: topic,
      sources: [topic],
      states,
      calls: http.target,
      create: partition => new CallTask(parts, partition),
      metrics: [...metrics, ...callMetrics],
    }
  }
  const redelivery = family(config.topics.redelivery, [])
  if (http.sourceClosed === true) return [redelivery]
  return [family(http.source, http.waitingTopic === undefined ? [] : [http.waitingTopic]), redelivery]
}

/** Who looks at the dead letters while nobody does. */
function watchFamilies(resource: ContractResource, namespace: string): readonly TaskFamily[] {
  const { watch, topics } = parseConfig(resource.name, resource.config)
  if (watch === undefined) return []
  const { deadLetter } = topics
  const config = { pipeline: `${namespace}/${resource.name}`, deadLetter, ...watch }
  return [
    {
      resource: { kind: 'DeadLetterPipeline', namespace, name: resource.name },
      input: deadLetter,
      sources: [deadLetter, watch.handled],
      states: [],
      create: partition => new WatchTask(config, partition),
      metrics: watchMetrics,
    },
  ]
}

export const worked: WorkedKind = {
  kind: 'DeadLetterPipeline',
  tasks(resource, namespace): TaskFamily {
    const config = parseConfig(resource.name, resource.config)
    const { partitions, maxDelayMs } = config
    const { retry, tiers, journal } = config.topics
    const engine: EngineConfig = { partitions, maxDelayMs, topics: { input: retry, fixed: [], tiers, journal } }
    const name = `${namespace}/${resource.name}`
    return {
      resource: { kind: 'DeadLetterPipeline', namespace, name: resource.name },
      input: retry,
      sources: [retry, ...tiers.map(({ topic }) => topic)],
      states: [journal],
      create: partition => new DelayTask(engine, new RetryProtocol(config, name, partition), partition),
      metrics,
    }
  },
  moreTasks: (resource, namespace) => [...callFamilies(resource, namespace), ...watchFamilies(resource, namespace)],
}
