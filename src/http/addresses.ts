import { BlockList, isIP } from 'node:net'

/**
 * Addresses that a pipeline must not make workers call, whatever name leads there: those of the node and of the cloud's metadata services, which hand out
 * credentials to whoever asks from the right place. Private networks are where applications live, so they are not among them.
 */
const FORBIDDEN: readonly string[] = [
  '0.0.0.0/8', // unspecified: connects to the machine itself
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local, with the metadata of AWS, Azure, Google Cloud, OpenStack
  '100.100.100.200/32', // metadata of Alibaba Cloud
  '168.63.129.16/32', // Azure's wire server
  '192.0.0.192/32', // metadata of Oracle Cloud
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved and broadcast
  '::/128',
  '::1/128',
  'fe80::/10', // link-local
  'fec0::/10', // its deprecated sibling
  'fd00:ec2::/32', // metadata of AWS
  'fd20:ce::254/128', // metadata of Google Cloud
  'ff00::/8', // multicast
]
/** IPv6 prefixes that carry an IPv4 address in their last 32 bits: mapped, compatible, and NAT64. */
const CARRIES_IPV4 = ['::ffff:0:0/96', '::/96', '64:ff9b::/96']
/** What `--calls-allow` says for the machine itself. */
export const LOOPBACK: readonly string[] = ['127.0.0.0/8', '::1/128']

/** Decides which addresses may be called. */
export class AddressPolicy {
  readonly #forbidden = blockList(FORBIDDEN)
  readonly #carriers = blockList(CARRIES_IPV4)
  readonly #allowed: BlockList

  /** @param allowed addresses and ranges that may be called although they would be refused. @throws Error naming one that is neither. */
  constructor(allowed: readonly string[] = []) {
    this.#allowed = blockList(allowed)
  }

  allows(address: string): boolean {
    const plain = address.replace(/^\[|\]$|%.*$/g, '')
    const version = isIP(plain)
    if (version === 0) return false
    const family = version === 6 ? 'ipv6' : 'ipv4'
    if (this.#allowed.check(plain, family)) return true
    if (this.#forbidden.check(plain, family)) return false
    const carried = version === 6 && this.#carriers.check(plain, 'ipv6') ? lastFourBytes(plain) : undefined
    return carried === undefined || this.allows(carried)
  }
}

/** @throws Error naming what is neither an address nor a range. */
export function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', length, ...rest] = range.split('/')
    const version = isIP(address)
    const bits = length === undefined ? (version === 6 ? 128 : 32) : Number(length)
    const valid =
      version !== 0 && rest.length === 0 && Number.isInteger(bits) && bits >= 0 && bits <= (version === 6 ? 128 : 32) && length !== ''
    if (!valid) throw new Error(`"${range}" is neither an IP address nor a range such as 127.0.0.0/8`)
    list.addSubnet(address, bits, version === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}

/** The URL parser writes the last 32 bits in one way, as two groups of hexadecimal digits. */
function lastFourBytes(address: string): string {
  const groups = new URL(`http://[${address}]`).hostname.slice(1, -1).split(':')
  const [high = 0, low = 0] = groups.slice(-2).map(group => parseInt(group === '' ? '0' : group, 16))
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
}
