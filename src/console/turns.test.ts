import { describe, expect, test } from '@jest/globals'
import { settle } from '../../test/support/fakes/clock.ts'
import { Turns } from './turns.ts'

function work() {
  const { promise, resolve } = Promise.withResolvers<string>()
  return { promise, done: resolve, begun: false }
}
const never = new AbortController().signal

describe('turns', () => {
  test('should run so many at once, the others in order, and refuse when the line is full', async () => {
    const turns = new Turns(1, 2)
    const jobs = [work(), work(), work()]
    const running = jobs.map(job =>
      turns.run(never, () => {
        job.begun = true
        return job.promise
      }),
    )
    await settle()
    expect(jobs.map(({ begun }) => begun)).toEqual([true, false, false])
    await expect(turns.run(never, () => Promise.resolve('late'))).rejects.toMatchObject({ status: 429 })
    jobs[0]?.done('first')
    await settle()
    expect(jobs.map(({ begun }) => begun)).toEqual([true, true, false])
    jobs[1]?.done('second')
    jobs[2]?.done('third')
    expect(await Promise.all(running)).toEqual(['first', 'second', 'third'])
    expect(await turns.run(never, () => Promise.resolve('again'))).toBe('again')
  })

  test('should let go of whoever leaves the line, and pass the turn on after a failure', async () => {
    const turns = new Turns(1, 2)
    const first = work()
    const leaving = new AbortController()
    const running = turns.run(never, () => first.promise)
    const gone = turns.run(leaving.signal, () => Promise.resolve('gone'))
    const last = turns.run(never, () => Promise.reject(new Error('broken')))
    leaving.abort(new Error('left'))
    await expect(gone).rejects.toThrow('left')
    first.done('first')
    expect(await running).toBe('first')
    await expect(last).rejects.toThrow('broken')
    expect(await turns.run(never, () => Promise.resolve('again'))).toBe('again')
  })
})
