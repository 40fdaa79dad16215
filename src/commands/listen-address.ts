export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/**
 * `HOST:PORT`, or `:PORT` for every address of the machine.
 * @throws Error naming the forms.
 */
export function parseListenAddress(text: string): ListenAddress {
  const [, host = '', port = ''] = /^(.*):(\d{1,5})$/.exec(text) ?? []
  if (port === '' || Number(port) > 65_535) throw new Error(`--listen: "${text.slice(0, 80)}" is not HOST:PORT or :PORT`)
  return { host: host === '' ? '::' : host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
}
