import { describe, expect, test } from '@jest/globals'
import { Command } from 'commander'
import { operatorOptions, refuseUnknownVariables, withSettings, type OperatorSettings } from './operator-settings.ts'

const settings = (...args: readonly string[]): OperatorSettings => {
  const command = withSettings(new Command('operator'))
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
  return command.parse(args, { from: 'user' }).opts()
}

describe('the settings of the operator', () => {
  test('should have defaults for all but the image of the workers', () => {
    expect(settings('--worker-image', 'sluice:1')).toEqual({
      workerImage: 'sluice:1',
      namespaces: [],
      workerImagePullPolicy: 'IfNotPresent',
      workerImagePullSecrets: [],
      ruleLabels: {},
      callsAllow: [],
      listen: { host: '::', port: 8080 },
      leaderElection: 'on',
      leaseName: 'sluice-operator',
      resync: 30_000,
      concurrency: 8,
      logLevel: 'info',
    })
    expect(() => settings()).toThrow('--worker-image')
  })

  test.each([
    { args: ['--namespaces', 'a, b,'], want: { namespaces: ['a', 'b'] } },
    { args: ['--namespaces', ''], want: { namespaces: [] } },
    { args: ['--rule-labels', 'release=prometheus,team=shop'], want: { ruleLabels: { release: 'prometheus', team: 'shop' } } },
    { args: ['--calls-allow', '127.0.0.1, fe80::/10'], want: { callsAllow: ['127.0.0.1', 'fe80::/10'] } },
    { args: ['--listen', '127.0.0.1:0'], want: { listen: { host: '127.0.0.1', port: 0 } } },
    { args: ['--resync', '1m30s'], want: { resync: 90_000 } },
  ])('should read $args', ({ args, want }) => {
    expect(settings('--worker-image', 'i', ...args)).toMatchObject(want)
  })

  test.each([
    { args: ['--rule-labels', 'release'], message: 'NAME=VALUE' },
    { args: ['--listen', '8080'], message: 'HOST:PORT' },
    { args: ['--resync', '30'], message: 'not a duration' },
    { args: ['--concurrency', '0'], message: 'whole number' },
    { args: ['--leader-election', 'maybe'], message: 'on, off' },
  ])('should refuse $args', ({ args, message }) => {
    expect(() => settings('--worker-image', 'i', ...args)).toThrow(message)
  })

  test('should refuse a variable that it does not know, and name those that it does', () => {
    const environment = { SLUICE_NAMESPACE: 'shop', SLUICE_LOG_LEVEL: 'info', SLUICE_CACHE: '/c', OTHER: 'x' }
    expect(() => {
      refuseUnknownVariables(environment, operatorOptions())
    }).toThrow(/unknown environment SLUICE_NAMESPACE; known are .*SLUICE_NAMESPACES/)
    expect(() => {
      refuseUnknownVariables({ SLUICE_LOG_LEVEL: 'info' }, operatorOptions())
    }).not.toThrow()
  })
})
