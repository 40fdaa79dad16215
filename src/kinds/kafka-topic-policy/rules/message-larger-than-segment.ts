import { formatSize } from '../../../api/size.ts'
import type { Rule } from './rule.ts'

/** A batch never spans segments: one that max.message.bytes allows and a segment cannot hold is refused with an error that names neither. */
export const messageLargerThanSegment: Rule = {
  code: 'MessageLargerThanSegment',
  about: ['max.message.bytes', 'segment.bytes'],
  needs: [],
  judge: topic => {
    const message = topic.number('max.message.bytes')
    const segment = topic.number('segment.bytes')
    if (message === undefined || segment === undefined || message <= segment) return undefined
    return `max.message.bytes ${formatSize(message)} is above segment.bytes ${formatSize(segment)}: such a message is refused; raise segment.bytes`
  },
}
