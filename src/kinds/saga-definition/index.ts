import type { Kind } from '../kind.ts'
import { notImplemented } from '../not-implemented.ts'
import { definition } from './resource.ts'

export const kind: Kind = notImplemented(definition)
