import type { ResourceDefinition } from '../api/definition.ts'
import type { Resource } from '../api/resource.ts'
import type { Observed } from './observed.ts'
import type { Interest, Plan, RetentionQuestion } from './plan.ts'

/** What the operator needs to know of a kind. Everything is pure and total: no clock, no I/O, no vendor type. */
export interface ReconciledKind {
  readonly definition: ResourceDefinition
  /** Name of the KafkaConnection (same namespace) that the resource works on; undefined for a KafkaConnection itself. */
  connectionOf(resource: Resource): string | undefined
  /** What to look at before planning. */
  interest(resource: Resource): Interest
  /** Follow-up questions, once the topics are known. */
  questions?(resource: Resource, observed: Observed): readonly RetentionQuestion[]
  plan(resource: Resource, observed: Observed): Plan
  /** Topics to delete when the resource goes and its spec says `deletionPolicy: Delete`; a finalizer exists only then. */
  deletes?(resource: Resource): readonly string[]
}
