import { describe, expect, test } from '@jest/globals'
import { anew, pastTheGap, withoutNotes } from './way-out.ts'

const source = { topic: 'shop.pay.in', partition: 3 }
const group = 'sluice.shop.pay.dq'

describe('the way out', () => {
  test('should name the command that moves a group past what was deleted', () => {
    expect(pastTheGap(group, source)).toBe(
      'To go on without what is missing, stop the workers (replicas: 0), run `sluice offsets reset --group sluice.shop.pay.dq --topic shop.pay.in:3 --to earliest --execute`, and start them again',
    )
  })

  test('should empty the states, where they hold anything, of a topic that was made again', () => {
    const states = new Map([
      ['shop.pay.journal', 40],
      ['shop.pay.ids', 0],
    ])
    expect(anew(group, source, states)).toContain(
      '--topic shop.pay.in:3 --to earliest --execute` and `sluice clean --topic shop.pay.journal:3 --before offset 40 --execute`, and start',
    )
    expect(anew(group, source, states)).not.toContain('shop.pay.ids')
  })

  test('should drop the notes beside offsets, and leave the offsets where they are', () => {
    const commits = [
      { ...source, offset: 5, metadata: '{"j":9}' },
      { topic: 'shop.pay.tier.8s', partition: 3, offset: 5, metadata: '' },
    ]
    expect(withoutNotes(group, commits)).toContain(
      '`sluice offsets reset --group sluice.shop.pay.dq --topic shop.pay.in:3 --to shift-by 0 --execute`',
    )
  })
})
