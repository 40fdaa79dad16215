import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../observability/system-clock.ts'
import { expectedGeneration, readContract } from './contract-file.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-contract-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function contract(content: object): Promise<string> {
  const file = join(folder, 'contract.json')
  await writeFile(file, JSON.stringify(content))
  return file
}

describe('the contract file', () => {
  test.each([0, 3, 4])('should be taken at generation 4 when %i was expected', async expected => {
    expect(await readContract(await contract({ version: 1, generation: 4 }), expected, systemClock)).toMatchObject({ generation: 4 })
  })

  test('should be read again until it is of the generation that the pod was made for', async () => {
    const file = await contract({ version: 1, generation: 4 })
    let sleeps = 0
    const clock = {
      ...systemClock,
      sleep: async () => {
        if (++sleeps === 3) await contract({ version: 1, generation: 5 })
      },
    }
    expect(await readContract(file, 5, clock)).toMatchObject({ generation: 5 })
    expect(sleeps).toBe(3)
  })

  test('should be named when it is not there or not JSON', async () => {
    await expect(readContract(join(folder, 'absent.json'), 0, systemClock)).rejects.toThrow(
      /--contract: cannot read .*absent\.json.* sluice run/,
    )
    await writeFile(join(folder, 'half.json'), '{"version": 1')
    await expect(readContract(join(folder, 'half.json'), 0, systemClock)).rejects.toThrow(/--contract: cannot read .*half\.json/)
  })

  test('should be given up when it stays too old, with both generations in the message', async () => {
    let nowMs = 0
    const clock = {
      ...systemClock,
      monotonicMs: () => nowMs,
      sleep: (delayMs: number) => {
        nowMs += delayMs
        return Promise.resolve()
      },
    }
    const file = await contract({ version: 1, generation: 4 })
    await expect(readContract(file, 5, clock)).rejects.toThrow(/still of generation 4; .* generation 5/)
  })

  test('should be refused in another version', async () => {
    await expect(readContract(await contract({ version: 2, generation: 1 }), 0, systemClock)).rejects.toThrow('same release')
  })

  test.each([
    { given: undefined, want: 0 },
    { given: '12', want: 12 },
  ])('should be expected in generation $want for $given', ({ given, want }) => {
    expect(expectedGeneration({ SLUICE_CONTRACT_GENERATION: given })).toBe(want)
  })

  test('should be expected in no odd generation', () => {
    expect(() => expectedGeneration({ SLUICE_CONTRACT_GENERATION: 'latest' })).toThrow('whole number')
  })
})
