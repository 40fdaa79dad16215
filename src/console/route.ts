import type { IncomingMessage } from 'node:http'
import type { Caller, Right } from './ports.ts'
import type { LineStream } from './stream.ts'

export type Params = Readonly<Record<string, string>>

/** A request that is known to come from somebody who may ask it. */
export interface Asked {
  readonly caller: Caller
  /** Of the path, decoded. */
  readonly params: Params
  readonly query: URLSearchParams
  readonly request: IncomingMessage
  /** Aborts when nobody waits for the answer any more, or when it takes too long. */
  readonly signal: AbortSignal
}

interface Common {
  readonly method: 'GET' | 'POST'
  /** Below /api, e.g. `/pipelines/:namespace/:name`. */
  readonly path: string
  /** What the caller must be allowed; undefined: the answer holds only what he may see. */
  readonly right?: (params: Params) => Right
}

/** One thing that the console can be asked. `tell`: the answer is a stream of lines, for what takes its time. */
export type Route =
  | (Common & { readonly answer: (asked: Asked) => unknown })
  | (Common & { readonly tell: (asked: Asked, lines: LineStream) => Promise<void> })
