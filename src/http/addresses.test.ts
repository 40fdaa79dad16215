import { describe, expect, test } from '@jest/globals'
import { AddressPolicy, LOOPBACK, blockList } from './addresses.ts'

describe('the addresses that may be called', () => {
  test.each([
    '169.254.169.254',
    '169.254.0.1',
    '127.0.0.1',
    '127.255.255.255',
    '0.0.0.0',
    '0.1.2.3',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fe80::1',
    'fe80::1%eth0',
    'febf::1',
    'fec0::1',
    'fd00:ec2::254',
    'fd20:ce::254',
    'ff02::1',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '::ffff:127.0.0.1',
    '::7f00:1',
    '64:ff9b::169.254.169.254',
    'no address',
    '',
  ])('should not have %s among them', address => {
    expect(new AddressPolicy().allows(address)).toBe(false)
  })

  test.each([
    '10.0.0.1',
    '172.16.0.1',
    '192.168.1.1',
    '192.0.0.191',
    '100.64.0.1',
    '8.8.8.8',
    'fd00::1',
    '2001:db8::1',
    '::ffff:10.0.0.1',
    '64:ff9b::8.8.8.8',
  ])('should have %s among them', address => {
    expect(new AddressPolicy().allows(address)).toBe(true)
  })

  test('should have what is allowed by name, and nothing beside it', () => {
    const policy = new AddressPolicy([...LOOPBACK, '169.254.20.10'])
    expect(['127.0.0.1', '::1', '169.254.20.10', '::ffff:127.0.0.1'].map(address => policy.allows(address))).toEqual([
      true,
      true,
      true,
      true,
    ])
    expect(['169.254.20.11', '169.254.169.254', '::'].map(address => policy.allows(address))).toEqual([false, false, false])
  })

  test.each(['localhost', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '::/129', ''])('should refuse "%s" as a range', range => {
    expect(() => blockList([range])).toThrow(`"${range}" is neither`)
  })
})
