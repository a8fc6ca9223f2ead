/** How a decoded message stands in a vector file: JSON, bytes as `{"$bytes": "hex"}`, absent members left out. */
export function toJsonForm(value: unknown): unknown {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('hex') };
  if (Array.isArray(value)) return value.map(toJsonForm);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, toJsonForm(member)]));
}

export function fromJsonForm(form: unknown): unknown {
  if (Array.isArray(form)) return form.map(fromJsonForm);
  if (typeof form !== 'object' || form === null) return form;
  if ('$bytes' in form) return fromHex(form.$bytes as string);
  return Object.fromEntries(Object.entries(form).map(([name, member]) => [name, fromJsonForm(member)]));
}

export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
