import { describe, expect, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../../..')
const TIMEOUT_MS = 30_000

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the real program. */
const sluice = (args: readonly string[], input = ''): Promise<Outcome> =>
  new Promise(answer => {
    const child = execFile(join(ROOT, 'bin/sluice'), args, { cwd: ROOT }, (error, stdout, stderr) => {
      answer({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr })
    })
    child.stdin?.end(input)
  })

const BAD =
  'apiVersion: sluice.dev/v1alpha1\nkind: DelayQueue\nmetadata: {name: pay}\nspec: {connectionRef: {name: main}, maxDelay: soon, target: {topic: a}}\n'

describe('sluice validate', () => {
  test(
    'should answer 0 for the samples',
    async () => {
      expect(await sluice(['validate', '-f', 'manifests/samples'])).toEqual({ code: 0, stdout: '7 resources read: valid\n', stderr: '' })
    },
    TIMEOUT_MS,
  )

  test(
    'should answer 1 for an invalid resource on standard input, and name file, resource and field',
    async () => {
      const { code, stdout } = await sluice(['validate', '-f', '-'], BAD)
      expect(code).toBe(1)
      expect(stdout).toContain('standard input: DelayQueue/pay: spec.maxDelay: "soon" is not a duration such as')
    },
    TIMEOUT_MS,
  )

  test(
    'should answer 0 for a resource of which it only warns',
    async () => {
      const { code, stdout } = await sluice(['validate', '-f', '-'], BAD.replace('soon', '1h'))
      expect(code).toBe(0)
      expect(stdout).toContain('DelayQueue/pay: spec.connectionRef.name: warning: no KafkaConnection main')
    },
    TIMEOUT_MS,
  )

  test(
    'should answer in JSON for machines',
    async () => {
      const { code, stdout } = await sluice(['validate', '-f', '-', '-o', 'json'], BAD)
      expect(code).toBe(1)
      expect(JSON.parse(stdout)).toMatchObject({
        resources: 1,
        findings: [{ severity: 'error', line: 1, resource: 'DelayQueue/pay', field: 'spec.maxDelay' }],
        skipped: [],
      })
    },
    TIMEOUT_MS,
  )

  test(
    'should answer 2 where it cannot read, or has nothing to read',
    async () => {
      const empty = mkdtempSync(join(tmpdir(), 'sluice-validate-'))
      try {
        writeFileSync(join(empty, 'notes.txt'), 'none of our business')
        const [absent, nothing, unasked] = await Promise.all([
          sluice(['validate', '-f', join(empty, 'absent')]),
          sluice(['validate', '-f', empty]),
          sluice(['validate']),
        ])
        expect([absent.code, nothing.code, unasked.code]).toEqual([2, 2, 2])
        expect(absent.stderr).toMatch(/--filename: cannot read .*absent/)
        expect(nothing.stderr).toContain('has no .yaml, .yml or .json file')
      } finally {
        rmSync(empty, { recursive: true })
      }
    },
    TIMEOUT_MS,
  )
})
