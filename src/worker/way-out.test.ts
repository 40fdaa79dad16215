import { describe, expect, test } from '@jest/globals'
import { anew, fromAnEnd, pastTheGap, withoutNotes, withoutNotesOf } from './way-out.ts'

const source = { topic: 'shop.pay.in', partition: 3 }
const group = 'sluice.shop.pay.dq'

describe('the way out', () => {
  test('should name the command that moves a group past what was deleted', () => {
    expect(pastTheGap(group, source)).toBe(
      'To go on without what is missing, stop the workers (replicas: 0), run `sluice offsets reset --group sluice.shop.pay.dq --topic shop.pay.in:3 --to earliest --execute`, and start them again',
    )
  })

  test('should have the states deleted, where there are any, of a topic that was made again', () => {
    expect(anew(group, 'shop.pay.in', ['shop.pay.journal', 'shop.pay.ids'])).toContain(
      '--topic shop.pay.in --to earliest --execute`, delete shop.pay.journal and shop.pay.ids, which told of the old one (the operator makes them again), and start',
    )
    expect(anew(group, 'shop.pay.in', [])).not.toContain('delete')
  })

  test('should drop the notes beside offsets, and leave the offsets where they are', () => {
    const commits = [
      { ...source, offset: 5, metadata: '{"j":9}' },
      { topic: 'shop.pay.tier.8s', partition: 3, offset: 5, metadata: '' },
    ]
    expect(withoutNotes(group, commits)).toContain(
      '`sluice offsets reset --group sluice.shop.pay.dq --topic shop.pay.in:3 --to shift-by 0 --execute`',
    )
    expect(withoutNotesOf(group, 'shop.pay.in')).toContain('--topic shop.pay.in --to shift-by 0 --execute`')
  })

  test('should leave the choice of an end to whoever knows what was delivered', () => {
    expect(fromAnEnd(group, 'shop.pay.in')).toContain('--topic shop.pay.in --to earliest --execute` (or --to latest, to skip it)')
  })
})
