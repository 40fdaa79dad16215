import { describe, expect, test } from '@jest/globals'
import { refOf } from '../api/resource.ts'
import type { Resource } from '../api/resource.ts'
import { StreamAnnouncer } from './announcer.ts'
import { ConsoleEvents } from './console-events.ts'

describe('StreamAnnouncer', () => {
  const resource = (namespace: string): Resource => ({
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'DelayQueue',
    metadata: { namespace, name: 'pay' },
    spec: {},
  })
  const announce = (): { readonly announcer: StreamAnnouncer; readonly lines: () => readonly string[] } => {
    let text = ''
    const announcer = new StreamAnnouncer(
      part => (text += part),
      () => new Date('2026-01-31T12:01:03.500Z'),
    )
    return { announcer, lines: () => text.split('\n').slice(0, -1) }
  }

  test('should write a line for each announcement, with the namespace where it is not the default one', () => {
    const { announcer, lines } = announce()
    announcer.say({ what: 'Started', message: 'now', level: 'info' })
    announcer.say({ about: refOf(resource('default')), what: 'Ready', message: 'fine', level: 'info' })
    announcer.say({ about: refOf(resource('shop')), what: 'Invalid', message: 'bad', level: 'error' })
    expect(lines()).toEqual([
      '12:01:03   sluice                           Started          now',
      '12:01:03   DelayQueue/pay                   Ready            fine',
      '12:01:03 x DelayQueue/shop/pay              Invalid          bad',
    ])
  })

  test('should mark the events that warn', () => {
    const { announcer, lines } = announce()
    const events = new ConsoleEvents(announcer)
    events.emit(resource('default'), 'Normal', 'TopicCreated', 'a topic')
    events.emit(resource('default'), 'Warning', 'PolicyConflict', 'two of them')
    expect(lines()).toEqual([
      '12:01:03   DelayQueue/pay                   TopicCreated     a topic',
      '12:01:03 ! DelayQueue/pay                   PolicyConflict   two of them',
    ])
  })
})
