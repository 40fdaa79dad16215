import type { ResourceDefinition } from '../api/definition.ts'
import type { Resource } from '../api/resource.ts'
import type { Observed } from './observed.ts'
import type { Estimate, Interest, Plan, PoolWish, ReadingQuestion, RetentionQuestion } from './plan.ts'

/** What the operator needs to know of a kind. Everything is pure and total: no clock, no I/O, no vendor type. */
export interface ReconciledKind {
  readonly definition: ResourceDefinition
  /** Name of the KafkaConnection (same namespace) that the resource works on; undefined for a KafkaConnection itself. */
  connectionOf(resource: Resource): string | undefined
  /**
   * The resource of another kind, in the same namespace, that this one is about. It is worked on over that one's connection, and given to `interest` and,
   * as `observed.subject`, to `plan`.
   */
  subjectOf?(resource: Resource): { readonly kind: string; readonly name: string }
  /** What to look at before planning. */
  interest(resource: Resource, subject?: Resource): Interest
  /** Offsets that the plan depends on; asked with every look, so undefined where nothing depends on them any more. */
  readings?(resource: Resource, observed: Observed): ReadingQuestion | undefined
  /** `spec.suspend` is for the kind to interpret: it is planned as always. */
  readonly plansSuspended?: true
  /** Follow-up questions, once the topics are known. */
  questions?(resource: Resource, observed: Observed): readonly RetentionQuestion[]
  /** Topics of whose newest records the plan wants to know whether they have keys. */
  samples?(resource: Resource, observed: Observed): readonly string[]
  plan(resource: Resource, observed: Observed): Plan
  /** What it will cost once it is as planned; only asked when somebody looks. */
  estimate?(resource: Resource, plan: Plan): Estimate
  /** The pool that the resource wants to share workers in, by its spec alone; undefined: workers of its own, or none. */
  poolOf?(resource: Resource): PoolWish | undefined
  /** When a resource is deleted, its workers first finish what `plan().waiting` names; a finalizer holds it meanwhile. */
  readonly drains?: true
  /** Topics to delete when the resource goes and its spec says `deletionPolicy: Delete`. */
  deletes?(resource: Resource): readonly string[]
  /** Topics that the resource sets up, by its spec alone; a name that ends in a dot stands for all with one more part. Kinds that yield leave them alone. */
  owns?(resource: Resource): readonly string[]
  /** Wants to know in `observed.owners` which topics others set up, to leave those alone. */
  readonly yields?: true
}
