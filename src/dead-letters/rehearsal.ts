import type { RedriveConfig } from '../kinds/dead-letter-redrive/config.ts'
import { redriveCountOf } from '../kinds/dead-letter-redrive/outgoing.ts'
import { countFingerprint, nothingYet } from '../kinds/dead-letter-redrive/progress.ts'
import type { Progress } from '../kinds/dead-letter-redrive/progress.ts'
import { fingerprintIn } from '../kinds/dead-letter-redrive/selection.ts'
import type { DeadLetterDesk } from './desk.ts'
import { visitDeadLetters } from './visit.ts'
import type { Visitor } from './visit.ts'

export type Rehearsed = Pick<RedriveConfig, 'run' | 'select' | 'action' | 'maxRedrives' | 'maxMessages'>

/** What a redrive or a discard would do now: its own decisions, by reading alone. */
export async function rehearse(desk: DeadLetterDesk, wanted: Rehearsed, watch: Pick<Visitor, 'begun' | 'passed'> = {}): Promise<Progress> {
  const { run, select, action, maxRedrives, maxMessages } = wanted
  const counts = { matched: 0, handled: 0, parked: 0 }
  let moved = 0
  const fingerprints = new Map<string, number>()
  await visitDeadLetters(desk, select, {
    visit: (record, handled) => {
      counts.matched++
      if (handled !== undefined) counts.handled++
      else if (action === 'Redrive' && redriveCountOf(record) >= maxRedrives) counts.parked++
      else {
        moved++
        countFingerprint(fingerprints, fingerprintIn(record))
      }
    },
    enough: () => moved >= (maxMessages ?? Infinity),
    ...watch,
  })
  return { ...nothingYet(run), ...counts, fingerprints }
}

/** Of a rehearsal: what would be moved. */
export const movedIn = ({ fingerprints }: Progress): number => [...fingerprints.values()].reduce((sum, count) => sum + count, 0)
