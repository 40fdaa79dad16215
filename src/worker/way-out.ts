import type { Commit, TopicPartition } from '../kafka/log.ts'

/**
 * What a person is told to run when records are gone, word for word: at three in the morning nobody composes a command. The offsets of a group that has members cannot
 * be moved, and skipping in silence is not ours to decide.
 */
const stopped = (wish: string, steps: readonly string[]): string =>
  `To ${wish}, stop the workers (replicas: 0), ${steps.join(', ')}, and start them again`

/** @param topics each with or without a partition, as the command line has them: `orders` or `orders:3` */
const reset = (group: string, topics: readonly string[], to: string): string =>
  `run \`sluice offsets reset --group ${group} ${topics.map(topic => `--topic ${topic}`).join(' ')} --to ${to} --execute\``

const argument = ({ topic, partition }: TopicPartition): string => `${topic}:${partition}`

/** Records of a source were deleted unread: go on with the oldest that is left. */
export const pastTheGap = (group: string, source: TopicPartition): string =>
  stopped('go on without what is missing', [reset(group, [argument(source)], 'earliest')])

/** A source is another topic under the same name: read it from its start, and forget what the states tell of the records of before. */
export const anew = (group: string, source: string, states: readonly string[]): string =>
  stopped('go on with the new one from its start', [
    reset(group, [source], 'earliest'),
    ...(states.length === 0 ? [] : [`delete ${states.join(' and ')}, which told of the old one (the operator makes them again)`]),
  ])

/** A state is another topic under the same name: offsets that are written by hand, moved or not, lose the notes that refer to what it held. */
export const withoutNotes = (group: string, committed: Iterable<Commit>): string =>
  stopped('go on without what is missing', [
    reset(group, [...committed].filter(({ metadata }) => metadata !== '').map(argument), 'shift-by 0'),
  ])

/** A state was made again for all partitions: the same for the whole input. */
export const withoutNotesOf = (group: string, input: string): string => stopped('go on so', [reset(group, [input], 'shift-by 0')])

/** Nobody knows where the group was. */
export const fromAnEnd = (group: string, topic: string): string =>
  stopped('have all that is there delivered again', [`${reset(group, [topic], 'earliest')} (or --to latest, to skip it)`])
