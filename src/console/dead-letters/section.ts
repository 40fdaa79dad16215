import type { DeadLetterPipeline } from '../../kinds/dead-letter-pipeline/resource.ts'
import type { Logger } from '../../observability/logger.ts'
import type { Desks } from '../desks.ts'
import { Refused } from '../ports.ts'
import type { Access, ResourceReader, ResourceWriter, Right } from '../ports.ts'
import type { Params } from '../route.ts'
import type { Turns } from '../turns.ts'

/** What the routes about dead letters share. */
export interface DeadLetterSection {
  readonly resources: ResourceReader
  readonly writer: ResourceWriter
  readonly access: Access
  readonly desks: Desks
  /** Of searches: each holds a connection to the brokers and, while it counts, a processor. */
  readonly turns: Turns
  readonly logger: Logger
}

/** Path of one pipeline. */
export const PIPELINE = '/pipelines/:namespace/:name'

/** To read about the dead letters of a pipeline is to read the pipeline; what they hold is a right of its own. */
export const mayRead = ({ namespace = '', name = '' }: Params): Right => ({ verb: 'get', resource: 'deadletterpipelines', namespace, name })
export const mayReadPayloads = (params: Params): Right => ({ ...mayRead(params), subresource: 'payloads' })

/** @throws Refused when there is none */
export function pipelineOf(resources: ResourceReader, { namespace = '', name = '' }: Params): DeadLetterPipeline {
  const found = resources.get({ kind: 'DeadLetterPipeline', namespace, name })
  if (found === undefined) throw new Refused(404, `there is no DeadLetterPipeline ${name} in namespace ${namespace}`)
  return found as DeadLetterPipeline
}
