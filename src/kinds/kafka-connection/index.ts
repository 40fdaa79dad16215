import type { Kind } from '../kind.ts'
import { interest, plan } from './plan.ts'
import { definition } from './resource.ts'

export const kind: Kind = {
  definition,
  connectionOf: () => undefined,
  interest: () => interest,
  plan: (_resource, observed) => plan(observed),
}
