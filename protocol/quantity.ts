/** Kubernetes quantities. Source: kubernetes.io, "Quantity" of the API reference. */

const suffixes: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

const form = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/;

/** In units of the resource (cores, bytes, pieces); undefined for text that is no quantity. */
export function parseQuantity(text: string | number | undefined): number | undefined {
  const match = form.exec(String(text ?? ''));
  if (match === null) return undefined;
  const [, digits, exponent, suffix] = match;
  return Number(digits) * (exponent === undefined ? suffixes[suffix ?? '']! : 10 ** Number(exponent));
}

/** Bytes as a quantity, rounded down to whole Ki where it is that much: `64Mi` comes out as `65536Ki`. */
export function bytesQuantity(bytes: number): string {
  return bytes < 1024 ? String(Math.floor(bytes)) : `${Math.floor(bytes / 1024)}Ki`;
}
