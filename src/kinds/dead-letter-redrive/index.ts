import type { Resource } from '../../api/resource.ts'
import type { DeadLetterPipeline } from '../dead-letter-pipeline/resource.ts'
import type { Kind } from '../kind.ts'
import { interest, plan, readings } from './plan.ts'
import { definition } from './resource.ts'
import type { DeadLetterRedrive } from './resource.ts'
import { worked } from './task-family.ts'

/** The engine hands a kind only resources of that kind that its schema accepts. */
const redrive = (resource: Resource): DeadLetterRedrive => resource as DeadLetterRedrive

export const kind: Kind = {
  definition,
  // That of its pipeline.
  connectionOf: () => undefined,
  subjectOf: resource => ({ kind: 'DeadLetterPipeline', name: redrive(resource).spec.pipelineRef.name }),
  interest: (resource, subject) => interest(redrive(resource), subject as DeadLetterPipeline | undefined),
  readings: (resource, observed) => readings(redrive(resource), observed),
  plan: (resource, observed) => plan(redrive(resource), observed),
  // A worker that goes on would not be suspended.
  plansSuspended: true,
  worked,
}
