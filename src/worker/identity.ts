import { Impossible } from './hosted.ts'
import type { Hosted } from './hosted.ts'
import { isSame, notedId } from './topic-ids.ts'
import type { TopicIds } from './topic-ids.ts'
import { anew, withoutNotesOf } from './way-out.ts'

/** What was noted of topic ids beside each committed offset, by topic of the offset; '' where somebody else wrote it. */
export type IdNotes = ReadonlyMap<string, string>

/**
 * How the ids of the topics of a task began when its positions were written. What stands beside a topic's own offset counts; brokers forget the offsets of a topic
 * that is deleted, so without one the input's tells of the others, and theirs of the input. An offset that a person moved has no note: the topic is
 * taken as it is.
 */
export function notedIds({ family }: Hosted, notes: IdNotes): TopicIds {
  const { input, sources, states } = family
  const noted = new Map<string, string>()
  const note = (topic: string, beside: string | undefined): void => {
    const id = beside === undefined ? undefined : notedId(beside, topic)
    if (id !== undefined) noted.set(topic, id)
  }
  for (const topic of sources) {
    if (notes.has(topic)) note(topic, notes.get(topic))
    else if (topic === input) for (const other of notes.values()) note(topic, other)
    else note(topic, notes.get(input))
  }
  for (const topic of states) note(topic, notes.get(input))
  return noted
}

/** Offsets of one topic mean nothing in another: the task is stopped that would go on with them. */
export function checkIds(hosted: Hosted, noted: TopicIds, ids: TopicIds, group: string): void {
  for (const [topic, was] of noted) {
    const is = ids.get(topic)
    if (is !== undefined && !isSame(was, is)) throw new Impossible('TopicRecreated', recreated(hosted, topic, was, is, group))
  }
}

function recreated({ family, partition }: Hosted, topic: string, was: string, is: string, group: string): string {
  const { input, sources, states } = family
  const what = `${topic}[${partition}] was deleted and made again: the id of the topic began with ${was.slice(0, 8)} and is ${is} now.`
  if (!sources.includes(topic))
    return `${what} What it told of ${input} is lost; messages that it knew to be done may come again. ${withoutNotesOf(group, input)}`
  return `${what} What waited in the old one is lost. ${anew(group, topic, states)}`
}
