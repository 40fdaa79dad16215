import { setTimeout as sleep } from 'node:timers/promises'
import { describeGroupsV5, leaveGroupV5 } from '@platformatic/kafka'
import type { ConnectionSettings } from '../connection.ts'
import type { LogOptions } from '../log.ts'
import { Brokers } from './brokers.ts'

const TIMEOUTS = { connectMs: 2_000, requestMs: 3_000 }
const ASK_EVERY_MS = 50
/** Then the session of the dead has timed out as well. */
const GIVE_UP_AFTER_MS = 6_000

export interface Succession {
  readonly settings: ConnectionSettings
  readonly client: LogOptions
  readonly groupId: string
  /** We do not join any more. */
  readonly ended: () => boolean
}

/**
 * Ends the memberships that earlier lives of this process left behind, so that nobody waits for their session timeout. Not before we have joined: the
 * first member of an empty group is made to wait for others (`group.initial.rebalance.delay.ms`, 3 s by default). Rejects when no broker answers.
 */
export async function expelPredecessors({ settings, client: { clientId, lineage }, groupId, ended }: Succession): Promise<void> {
  const untilMs = performance.now() + GIVE_UP_AFTER_MS
  const brokers = new Brokers(settings, clientId, TIMEOUTS)
  try {
    while (!ended() && performance.now() < untilMs) {
      const { groups } = await brokers.ask(await brokers.coordinator(groupId), 'describeGroups', describeGroupsV5.api, [groupId], false)
      const members = groups[0]?.members ?? []
      if (members.some(member => member.clientId === clientId)) {
        const earlier = members.filter(
          member => lineage !== undefined && member.clientId.startsWith(lineage) && member.clientId !== clientId,
        )
        if (earlier.length > 0) await expel(brokers, groupId, earlier)
        return
      }
      await sleep(ASK_EVERY_MS)
    }
  } finally {
    await brokers.close()
  }
}

/** Those that are gone already are no error. */
async function expel(brokers: Brokers, groupId: string, members: readonly { readonly memberId: string }[]): Promise<void> {
  const leaving = members.map(({ memberId }) => ({ memberId, groupInstanceId: null, reason: 'its process was replaced by another' }))
  await brokers.ask(await brokers.coordinator(groupId), 'leaveGroup', leaveGroupV5.api, groupId, leaving)
}
