import type { Commit, TopicPartition } from '../kafka/log.ts'

/**
 * What a person is told to run when records are gone, word for word: at three in the morning nobody composes a command. The offsets of a group that has members cannot
 * be moved, and skipping in silence is not ours to decide.
 */
const stopped = (commands: readonly string[]): string =>
  `To go on without what is missing, stop the workers (replicas: 0), run ${commands.join(' and ')}, and start them again`

const reset = (group: string, partitions: readonly TopicPartition[], to: string): string =>
  `\`sluice offsets reset --group ${group} ${partitions.map(({ topic, partition }) => `--topic ${topic}:${partition}`).join(' ')} --to ${to} --execute\``

const clean = (topic: string, partition: number, before: number): string =>
  `\`sluice clean --topic ${topic}:${partition} --before offset ${before} --execute\``

/** Records of a source were deleted unread: go on with the oldest that is left. */
export const pastTheGap = (group: string, source: TopicPartition): string => stopped([reset(group, [source], 'earliest')])

/** A source is another topic under the same name: read it from its start, and forget what the states tell of the records of before. */
export const anew = (group: string, source: TopicPartition, stateEnds: ReadonlyMap<string, number>): string =>
  stopped([
    reset(group, [source], 'earliest'),
    ...[...stateEnds].filter(([, end]) => end > 0).map(([topic, end]) => clean(topic, source.partition, end)),
  ])

/** A state is another topic under the same name: offsets that are written by hand, moved or not, lose the notes that refer to what it held. */
export const withoutNotes = (group: string, committed: Iterable<Commit>): string =>
  stopped([
    reset(
      group,
      [...committed].filter(({ metadata }) => metadata !== ''),
      'shift-by 0',
    ),
  ])
