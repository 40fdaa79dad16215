export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/**
 * `HOST:PORT`, or `:PORT` for every address of the machine.
 * @throws Error naming the forms.
 */
export const parseListenAddress = (text: string): ListenAddress => parseAddress(text, '--listen')
export const parseConsoleAddress = (text: string): ListenAddress => parseAddress(text, '--console')

function parseAddress(text: string, flag: string): ListenAddress {
  const [, host = '', port = ''] = /^(.*):(\d{1,5})$/.exec(text) ?? []
  if (port === '' || Number(port) > 65_535) throw new Error(`${flag}: "${text.slice(0, 80)}" is not HOST:PORT or :PORT`)
  return { host: host === '' ? '::' : host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
}

/** Only this machine, and who was let through to it, can reach it. */
export const isLoopback = ({ host }: ListenAddress): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.[0-9]{1,3}){3}$/.test(host)
