/** Longer names are not worth the search. */
const LONGEST = 64;

interface Known {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Names that are known, found by their bytes: no text is made of one that arrives. */
export class Names {
  private readonly known = new Map<number, Known[]>();

  constructor(names: Iterable<string>) {
    for (const name of names) {
      const bytes = Buffer.from(name, 'utf8');
      const hash = hashOf(bytes, 0, bytes.length);
      const others = this.known.get(hash);
      if (others === undefined) this.known.set(hash, [{ name, bytes }]);
      else others.push({ name, bytes });
    }
  }

  find(bytes: Uint8Array, at: number, length: number): string | undefined {
    if (length > LONGEST) return undefined;
    const found = this.known.get(hashOf(bytes, at, length));
    if (found === undefined) return undefined;
    for (const each of found) {
      if (isSame(each.bytes, bytes, at, length)) return each.name;
    }
    return undefined;
  }
}

/** FNV-1a. Who sends names chooses none of those that are known, so that none needs to be secret. */
function hashOf(bytes: Uint8Array, at: number, length: number): number {
  let hash = 0x811c_9dc5 | 0;
  for (let place = at; place < at + length; place++) hash = Math.imul(hash ^ bytes[place], 0x0100_0193);
  return hash;
}

function isSame(known: Uint8Array, bytes: Uint8Array, at: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let place = 0; place < length; place++) {
    if (known[place] !== bytes[at + place]) return false;
  }
  return true;
}
