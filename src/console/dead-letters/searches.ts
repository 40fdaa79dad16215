import type { Clock } from '../../api/clock.ts'
import type { DeadLetterDesk } from '../../dead-letters/desk.ts'
import type { Visitor } from '../../dead-letters/visit.ts'
import type { Asked } from '../route.ts'
import type { LineStream } from '../stream.ts'
import { pipelineOf } from './section.ts'
import type { DeadLetterSection } from './section.ts'

const TELL_EVERY_MS = 250

type Watch = Required<Pick<Visitor, 'begun' | 'passed'>>

/** Tells now and then how far a search is. */
function watch(lines: LineStream, clock: Clock, more: () => void): Watch {
  let total = 0
  let passed = 0
  let toldMs = clock.monotonicMs()
  return {
    begun: offsets => {
      total = offsets
      lines.write({ type: 'progress', passed, total })
    },
    passed: () => {
      passed++
      // Looking at the clock for every record would cost more than counting it.
      if (passed % 100 !== 0 || clock.monotonicMs() - toldMs < TELL_EVERY_MS) return
      toldMs = clock.monotonicMs()
      more()
      lines.write({ type: 'progress', passed, total })
    },
  }
}

/** A search that waits for its turn, then goes through a dead letter topic while it tells how far it is. */
export async function search(
  { resources, desks, turns }: DeadLetterSection,
  { params, query, signal }: Asked,
  lines: LineStream,
  work: (desk: DeadLetterDesk, watching: (more?: () => void) => Watch) => Promise<Readonly<Record<string, unknown>>>,
  topic = query.get('topic') ?? undefined,
): Promise<void> {
  const pipeline = pipelineOf(resources, params)
  lines.write({ type: 'waiting' })
  const result = await turns.run(signal, () =>
    desks.with(pipeline, topic, signal, desk => work(desk, (more = () => undefined) => watch(lines, desk.clock, more))),
  )
  lines.write({ type: 'result', ...result })
}
