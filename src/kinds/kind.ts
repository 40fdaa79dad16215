import type { ReconciledKind } from '../operator/kind.ts'
import type { WorkedKind } from '../worker/task.ts'

/** A kind is what the operator reconciles and, where it has workers, what they do. Adding one is a folder and a line in `index.ts`. */
export interface Kind extends ReconciledKind {
  readonly worked?: WorkedKind
}
