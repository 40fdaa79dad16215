import type { Resource } from '../../api/resource.ts'
import type { DeadLetterPipeline } from '../../kinds/dead-letter-pipeline/resource.ts'
import { deadLetterTopics, pipelineTopics } from '../../kinds/dead-letter-pipeline/topics.ts'
import type { Caller, Right } from '../ports.ts'
import type { Route } from '../route.ts'
import { mayRead, mayReadPayloads, pipelineOf, PIPELINE } from './section.ts'
import type { DeadLetterSection } from './section.ts'

/** Which pipelines there are. */
export const pipelineRoutes = (section: DeadLetterSection): readonly Route[] => [
  {
    method: 'GET',
    path: '/pipelines',
    answer: async ({ caller }) => ({ pipelines: (await visible(section, caller)).map(listed) }),
  },
  {
    method: 'GET',
    path: PIPELINE,
    right: mayRead,
    answer: async ({ caller, params }) => {
      const pipeline = pipelineOf(section.resources, params)
      const { access } = section
      const redrive: Right = { verb: 'create', resource: 'deadletterredrives', namespace: pipeline.metadata.namespace }
      return {
        ...listed(pipeline),
        topics: deadLetterTopics(pipelineTopics(pipeline)),
        may: { readPayloads: await access.allows(caller, mayReadPayloads(params)), redrive: await access.allows(caller, redrive) },
      }
    },
  },
]

/** Those in namespaces whose pipelines the caller may list. */
async function visible({ resources, access }: DeadLetterSection, caller: Caller): Promise<readonly DeadLetterPipeline[]> {
  const all = resources.list('DeadLetterPipeline') as readonly DeadLetterPipeline[]
  const mayList: Right = { verb: 'list', resource: 'deadletterpipelines' }
  if (all.length === 0 || (await access.allows(caller, mayList))) return all
  const allowed = new Set<string>()
  for (const namespace of new Set(all.map(({ metadata }) => metadata.namespace)))
    if (await access.allows(caller, { ...mayList, namespace })) allowed.add(namespace)
  return all.filter(({ metadata }) => allowed.has(metadata.namespace))
}

function listed({ metadata, spec, status }: DeadLetterPipeline) {
  const { namespace, name } = metadata
  return {
    namespace,
    name,
    source: spec.source.topic,
    group: spec.source.group,
    ...readinessOf({ status } as Resource),
    ...(status?.deadLetters !== undefined && { deadLetters: status.deadLetters }),
  }
}

/** What the condition Ready says. */
export function readinessOf({ status }: Pick<Resource, 'status'>) {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  return { ready: ready?.status ?? 'Unknown', reason: ready?.reason ?? '', message: ready?.message ?? '' }
}
