import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Progress } from './progress.ts'

describe('the progress of a source', () => {
  test('should stand at the lowest unfinished offset, and know what is finished above it', () => {
    const progress = new Progress(10, '')
    for (const offset of [10, 11, 12, 13, 17]) expect(progress.accept(offset)).toBe(true)
    for (const offset of [11, 13]) progress.finish(offset)
    const { offset, finished } = progress.place(-1)
    expect(offset).toBe(10)
    const next = new Progress(offset, finished)
    expect([10, 11, 12, 13, 17].filter(each => next.accept(each))).toEqual([10, 12, 17])
  })

  test('should count what is proposed as finished, and what is retracted not', () => {
    const progress = new Progress(0, '')
    for (const offset of [0, 1, 2]) progress.accept(offset)
    progress.propose(0)
    expect(progress.place(0).offset).toBe(1)
    progress.retract(0)
    expect(progress.place(-1).offset).toBe(0)
  })

  test('should pass over what holds no records', () => {
    const progress = new Progress(0, '')
    progress.accept(5)
    progress.finish(5)
    progress.skipTo(9)
    expect(progress.place(-1)).toEqual({ offset: 9, finished: '' })
  })

  /** Lives of a task: each reads on from where the last one committed, finishes some, and dies. */
  test('should have every record done, and none done twice that was committed, through any number of deaths', () => {
    const life = fc.record({ reads: fc.integer({ min: 0, max: 40 }), finishes: fc.array(fc.nat(60), { maxLength: 40 }) })
    const offsets = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 60 }).map(gaps => {
      let at = 0
      return gaps.map(gap => (at += gap))
    })
    fc.assert(
      fc.property(offsets, fc.array(life, { maxLength: 8 }), (log, lives) => {
        const done = new Set<number>()
        let committed = { offset: 0, finished: '' }
        for (const { reads, finishes } of [...lives, { reads: log.length, finishes: log.map((_, i) => i) }]) {
          const progress = new Progress(committed.offset, committed.finished)
          const open: number[] = []
          for (const offset of log.filter(each => each >= committed.offset).slice(0, reads)) {
            if (!progress.accept(offset)) expect(done.has(offset)).toBe(true)
            else open.push(offset)
          }
          for (const pick of finishes) {
            const offset = open[pick % Math.max(1, open.length)]
            if (offset === undefined || done.has(offset)) continue
            expect(done.has(offset)).toBe(false)
            progress.propose(offset)
            committed = progress.place(offset)
            progress.finish(offset)
            done.add(offset)
          }
          // What is not called again is done.
          for (const offset of open) if (done.has(offset)) progress.finish(offset)
          if (reads === log.length) committed = progress.place(-1)
        }
        expect(log.filter(offset => !done.has(offset))).toEqual([])
        expect(committed.offset).toBe((log.at(-1) ?? -1) + 1)
      }),
    )
  })
})
