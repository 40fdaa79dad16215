import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'

const ROOT = join(import.meta.dirname, '../../..')
const SCRIPT = readFileSync(join(ROOT, 'manifests/argocd/health.lua'), 'utf8')
const LUA = process.env.LUA ?? execFileSync(join(ROOT, 'scripts/tool'), ['lua'], { encoding: 'utf8' }).trim()

type Value = string | number | boolean | readonly Value[] | { readonly [key: string]: Value }

/** JSON to a Lua table, as Argo CD hands the object over. */
function toLua(value: Value): string {
  if (Array.isArray(value)) return `{${value.map(toLua).join(', ')}}`
  if (typeof value === 'object')
    return `{${Object.entries(value)
      .map(([key, item]) => `[${JSON.stringify(key)}] = ${toLua(item)}`)
      .join(', ')}}`
  return JSON.stringify(value)
}

function healthOf(resource: Value): { readonly status: string; readonly message: string } {
  const program = `obj = ${toLua(resource)}\nlocal function judge()\n${SCRIPT}\nend\nlocal h = judge()\nprint(h.status)\nprint(h.message)`
  const [status = '', message = ''] = execFileSync(LUA, ['-'], { input: program, encoding: 'utf8' }).split('\n')
  return { status, message }
}

const condition = (type: string, status: string, reason: string, message = ''): Value => ({ type, status, reason, message })
const resource = (conditions: readonly Value[], { generation = 2, observed = 2 } = {}): Value => ({
  metadata: { generation },
  spec: {},
  status: { observedGeneration: observed, conditions },
})
const READY = condition('Ready', 'True', 'Ready', 'All is well.')

describe('the health that Argo CD sees', () => {
  test.each([
    { when: 'nobody has looked at it', given: { metadata: { generation: 1 }, spec: {} }, want: 'Progressing' },
    { when: 'it is ready', given: resource([READY]), want: 'Healthy' },
    { when: 'the status is of an older generation', given: resource([READY], { generation: 3 }), want: 'Progressing' },
    { when: 'it is known to be unknown', given: resource([condition('Ready', 'Unknown', 'Reconciling')]), want: 'Progressing' },
    { when: 'its workers start', given: resource([condition('Ready', 'False', 'WorkersNotReady')]), want: 'Progressing' },
    { when: 'it was deleted and runs empty', given: resource([condition('Ready', 'False', 'Draining')]), want: 'Progressing' },
    { when: 'the password is wrong', given: resource([condition('Ready', 'False', 'AuthenticationFailed')]), want: 'Degraded' },
    {
      when: 'it is stalled',
      given: resource([condition('Ready', 'False', 'WorkersNotReady'), condition('Stalled', 'True', 'WorkersNotReady')]),
      want: 'Degraded',
    },
    { when: 'it is suspended', given: { metadata: { generation: 1 }, spec: { suspend: true } }, want: 'Suspended' },
  ])('should be $want when $when', ({ given, want }) => {
    expect(healthOf(given).status).toBe(want)
  })

  test('should say why', () => {
    const health = healthOf(resource([condition('Ready', 'False', 'TopicNotAllowed', 'topic a.b is outside allowedTopics')]))
    expect(health.message).toBe('TopicNotAllowed: topic a.b is outside allowedTopics')
  })
})
