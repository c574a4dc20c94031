import { ConnectError } from './errors.js';

/** Where a server is. */
export type Address =
  /** `host:port`, `[::1]:port`, with `tls://` or `tcp://` before it, or `unix:/path`. */
  | string
  | { readonly host: string; readonly port: number; readonly tls?: boolean }
  | { readonly path: string };

export type ParsedAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly isTls: boolean }
  | { readonly kind: 'unix'; readonly path: string };

export function parseAddress(address: Address): ParsedAddress {
  if (typeof address !== 'string') {
    if ('path' in address) return { kind: 'unix', path: address.path };
    return { kind: 'tcp', host: address.host, port: address.port, isTls: address.tls === true };
  }
  if (address.startsWith('unix:')) return { kind: 'unix', path: address.slice('unix:'.length).replace(/^\/\/\//, '/') };
  const match = /^(?:(tcp|tls):\/\/)?(?:\[([0-9a-fA-F:.]+)\]|([^:/\s]+)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[4]);
  if (match === null || port > 65_535) throw new ConnectError({ kind: 'address', address });
  return { kind: 'tcp', host: match[2] ?? match[3], port, isTls: match[1] === 'tls' };
}
