/** The first bytes of both sides when they offer the extension (`ext.offer`). */
export const OFFER: readonly number[] = [0xe2, 0xee, 0x00];
/** The channels that an offer means for a peer without the extension. */
export const OFFER_CHANNELS = 238;

export const EMPTY: Uint8Array = new Uint8Array(0);

/** Widths of numbers, by the two bits that announce them. */
export const PAYLOAD_WIDTH: readonly number[] = [0, 1, 2, 6];
export const FILE_COUNT_WIDTH: readonly number[] = [0, 1, 2, 3];
export const FILES_TOTAL_WIDTH: readonly number[] = [2, 3, 4, 6];
export const FILE_SIZE_WIDTH: readonly number[] = [1, 2, 3, 6];
export const FLOW_LIMIT_WIDTH: readonly number[] = [2, 3, 4, 6];

/** How many bytes a packet has before its content, by its first byte. */
export const PACKET_LENGTH: Uint8Array = Uint8Array.from({ length: 256 }, (_, first) => {
  const size = 1 + (((first >> 2) & 3) + 1);
  switch (first >> 4) {
    case 0x1:
      return 2;
    case 0x2:
    case 0x5:
    case 0x6:
    case 0x7:
    case 0xe:
    case 0xf:
      return size;
    case 0x3:
      return 17;
    case 0x4:
      return 18;
    case 0xc:
      return size + (first & 3);
    case 0xd:
      return 1 + (first & 3);
    default:
      return 1;
  }
});

/** Reads a number of 0 to 6 bytes, the least significant byte first (`number.order`). */
export function readUint(bytes: Uint8Array, at: number, width: number): number {
  switch (width) {
    case 0:
      return 0;
    case 1:
      return bytes[at];
    case 2:
      return bytes[at] | (bytes[at + 1] << 8);
    case 3:
      return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
    default: {
      let value = 0;
      for (let place = at + width - 1; place >= at; place--) value = value * 256 + bytes[place];
      return value;
    }
  }
}

/** Writes a number with the least significant byte first. Returns where it ends. */
export function writeUint(bytes: Uint8Array, at: number, width: number, value: number): number {
  if (width <= 4) {
    for (let place = 0; place < width; place++) {
      bytes[at + place] = value & 0xff;
      value >>>= 8;
    }
    return at + width;
  }
  for (let place = 0; place < width; place++) {
    bytes[at + place] = value % 256;
    value = Math.floor(value / 256);
  }
  return at + width;
}

/** The bits of the smallest of these widths that can hold a number. */
export function smallest(widths: readonly number[], value: number): number {
  for (let bits = 0; bits < widths.length - 1; bits++) {
    if (value < 2 ** (8 * widths[bits])) return bits;
  }
  return widths.length - 1;
}

/** The bits of the smallest width of a packet's size. */
export function sizeBits(size: number): number {
  return size < 0x100 ? 0 : size < 0x1_0000 ? 1 : size < 0x100_0000 ? 2 : 3;
}
