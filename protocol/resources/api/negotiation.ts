/**
 * The form of an answer, from the `Accept` header (kubernetes.io, "Kubernetes API concepts", alternate
 * representations and receiving resources as Tables). Answers are always JSON; protobuf is passed over.
 */
import { refuse } from './status.ts';

/** An object as it is, as rows of a Table, or as its metadata alone. */
export type View = { as: 'object' } | { as: 'table' | 'metadata'; version: 'v1' | 'v1beta1' };

/** The aggregated discovery that the client understands, newest first; undefined asks for the plain one. */
export type DiscoveryForm = 'v2' | 'v2beta1' | undefined;

interface MediaRange {
  type: string;
  parameters: ReadonlyMap<string, string>;
}

/** Accept headers longer than this are not read to their end. */
const RANGES_MAX = 16;

/** The first form of the client's list that we have. Refuses with NotAcceptable when there is none. */
export function viewOf(accept: string | undefined): View {
  for (const range of rangesOf(accept)) {
    if (!isJson(range)) continue;
    const as = range.parameters.get('as');
    if (as === undefined) return { as: 'object' };
    const version = range.parameters.get('v');
    if (range.parameters.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) continue;
    if (as === 'Table') return { as: 'table', version };
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { as: 'metadata', version };
  }
  throw refuse('NotAcceptable', 'this server answers application/json only: add it to the Accept header');
}

/** See `viewOf`; a client that names no aggregated form gets the plain one. */
export function discoveryFormOf(accept: string | undefined): DiscoveryForm {
  for (const range of rangesOf(accept)) {
    if (!isJson(range)) continue;
    if (range.parameters.get('as') === undefined) return undefined;
    if (range.parameters.get('g') !== 'apidiscovery.k8s.io') continue;
    const version = range.parameters.get('v');
    if (range.parameters.get('as') === 'APIGroupDiscoveryList' && (version === 'v2' || version === 'v2beta1'))
      return version;
  }
  return undefined;
}

/** `application/json; charset=utf-8` without its parameters, in lower case. */
export function mediaTypeOf(header: string | undefined): string {
  return (header ?? '').split(';', 1)[0]!.trim().toLowerCase();
}

function isJson(range: MediaRange): boolean {
  return range.type === 'application/json' || range.type === 'application/*' || range.type === '*/*';
}

/** The ranges by descending quality, in the order written where that is equal (RFC 9110, section 12.5.1). */
function rangesOf(accept: string | undefined): MediaRange[] {
  const header = accept === undefined || accept.trim() === '' ? '*/*' : accept;
  const ranges = header.split(',', RANGES_MAX).map((text) => {
    const [type, ...parameters] = text.split(';').map((part) => part.trim());
    const pairs = parameters.map((parameter): [string, string] => {
      const [name, value] = parameter.split('=', 2);
      return [name!.trim().toLowerCase(), (value ?? '').trim()];
    });
    return { type: type!.toLowerCase(), parameters: new Map(pairs) };
  });
  const quality = (range: MediaRange) => Number(range.parameters.get('q') ?? 1) || 0;
  return ranges.filter((range) => quality(range) > 0).sort((left, right) => quality(right) - quality(left));
}
