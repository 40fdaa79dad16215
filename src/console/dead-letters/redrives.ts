import { randomBytes } from 'node:crypto'
import { movedIn, rehearse } from '../../dead-letters/rehearsal.ts'
import type { DeadLetterPipeline } from '../../kinds/dead-letter-pipeline/resource.ts'
import { allTopics, pipelineTopics } from '../../kinds/dead-letter-pipeline/topics.ts'
import { DEFAULT_MAX_REDRIVES, REQUESTED_BY } from '../../kinds/dead-letter-redrive/plan.ts'
import type { DeadLetterRedrive } from '../../kinds/dead-letter-redrive/resource.ts'
import { Refused } from '../ports.ts'
import type { Right } from '../ports.ts'
import { jsonBody } from '../request.ts'
import type { Asked, Params, Route } from '../route.ts'
import type { LineStream } from '../stream.ts'
import { readinessOf } from './pipelines.ts'
import { search } from './searches.ts'
import { mayRead, pipelineOf, PIPELINE } from './section.ts'
import type { DeadLetterSection } from './section.ts'
import { redriveOf } from './selectors.ts'
import type { NewRedrive } from './selectors.ts'

const RESOURCE = 'deadletterredrives'
const may =
  (verb: Right['verb']) =>
  ({ namespace = '' }: Params): Right => ({ verb, resource: RESOURCE, namespace })

/** What a redrive would do, making one, and what became of those that were made. */
export const redriveRoutes = (section: DeadLetterSection): readonly Route[] => [
  { method: 'POST', path: `${PIPELINE}/rehearsals`, right: mayRead, tell: (asked, lines) => rehearsal(section, asked, lines) },
  { method: 'POST', path: `${PIPELINE}/redrives`, right: may('create'), answer: asked => create(section, asked) },
  {
    method: 'GET',
    path: `${PIPELINE}/redrives`,
    right: may('list'),
    answer: ({ params }) => ({ redrives: redrivesOf(section, params).map(listed) }),
  },
  {
    method: 'POST',
    path: `${PIPELINE}/redrives/:redrive/suspended`,
    right: ({ namespace = '', redrive = '' }) => ({ verb: 'patch', resource: RESOURCE, namespace, name: redrive }),
    answer: asked => suspend(section, asked),
  },
]

async function rehearsal(section: DeadLetterSection, asked: Asked, lines: LineStream): Promise<void> {
  const { spec } = await wanted(section, asked, 'rehearsal')
  const { select, maxMessages, maxRedrives = DEFAULT_MAX_REDRIVES } = spec
  const run = { run: 'rehearsal', action: 'Redrive' as const, select, maxRedrives, ...(maxMessages !== undefined && { maxMessages }) }
  const work: Parameters<typeof search>[3] = async (desk, watching) => {
    const target = spec.topic ?? desk.topics.redelivery
    if (!(await desk.admin.describeTopics([target])).has(target)) throw new Refused(400, `topic ${target} does not exist on this cluster`)
    const told = await rehearse(desk, run, watching())
    const histogram = [...told.fingerprints].sort(([, a], [, b]) => b - a).map(([fingerprint, count]) => ({ target, fingerprint, count }))
    return { matched: told.matched, moved: movedIn(told), handled: told.handled, parked: told.parked, histogram }
  }
  await search(section, asked, lines, work, spec.deadLetterTopic)
}

async function create(section: DeadLetterSection, asked: Asked): Promise<object> {
  const { caller, params } = asked
  // Short of the 63 characters that the names of its workers may have.
  const name = `${(params.name ?? '').slice(0, 32)}-${randomBytes(4).toString('hex')}`
  const redrive = await wanted(section, asked, name)
  await section.writer.create(caller, redrive)
  section.logger.info({ audit: 'RedriveCreated', by: caller.name, ...params, redrive: name }, 'A redrive was made')
  return { name }
}

async function suspend({ resources, writer, logger }: DeadLetterSection, { caller, params, request }: Asked): Promise<object> {
  const { suspended } = await jsonBody(request)
  if (typeof suspended !== 'boolean') throw new Refused(400, 'the body must be {"suspended": true} or {"suspended": false}')
  const { namespace = '', name = '', redrive = '' } = params
  const ref = { kind: 'DeadLetterRedrive', namespace, name: redrive }
  const found = resources.get(ref) as DeadLetterRedrive | undefined
  if (found?.spec.pipelineRef.name !== name) throw new Refused(404, `pipeline ${name} has no redrive ${redrive}`)
  await writer.suspend(caller, ref, suspended)
  logger.info({ audit: suspended ? 'RedriveSuspended' : 'RedriveResumed', by: caller.name, ...params }, 'A redrive was changed')
  return { suspended }
}

async function wanted({ resources }: DeadLetterSection, { caller, params, request }: Asked, name: string): Promise<NewRedrive> {
  const pipeline = pipelineOf(resources, params)
  const redrive = redriveOf(params.namespace ?? '', name, pipeline.metadata.name, await jsonBody(request), { [REQUESTED_BY]: caller.name })
  refuseOwnTopics(pipeline, redrive.spec.topic)
  return redrive
}

/** The operator refuses it as well; here it is said before anything is made. */
function refuseOwnTopics(pipeline: DeadLetterPipeline, topic: string | undefined): void {
  if (topic === undefined || !allTopics(pipelineTopics(pipeline)).includes(topic)) return
  throw new Refused(400, `spec.topic: ${topic} is a topic of DeadLetterPipeline ${pipeline.metadata.name} itself: choose another`)
}

/** The youngest first. */
function redrivesOf({ resources }: DeadLetterSection, { namespace, name }: Params): readonly DeadLetterRedrive[] {
  const all = resources.list('DeadLetterRedrive') as readonly DeadLetterRedrive[]
  const made = ({ metadata }: DeadLetterRedrive): string => metadata.creationTimestamp ?? ''
  return all
    .filter(({ metadata, spec }) => metadata.namespace === namespace && spec.pipelineRef.name === name)
    .sort((a, b) => made(b).localeCompare(made(a)))
}

function listed({ metadata, spec, status }: DeadLetterRedrive) {
  const { phase, matched, sent, skipped, failed, startedAt, completedAt, eta, histogram } = status ?? {}
  const { pipelineRef: _, suspend: suspended = false, ...asked } = spec
  return {
    name: metadata.name,
    createdAt: metadata.creationTimestamp,
    by: metadata.annotations?.[REQUESTED_BY],
    asked,
    suspended,
    ...readinessOf({ ...(status && { status }) }),
    ...{ phase, matched, sent, skipped, failed, startedAt, completedAt, eta, histogram },
  }
}
