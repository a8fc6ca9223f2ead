/**
 * The Kubernetes REST API over a `ResourceStore`: reading as everywhere (`protocol/resources/api/`), and all that
 * changes something. The listener, TLS and the question who the caller is belong to whoever calls `handle`.
 */
import type { Env } from '../../protocol/env.ts';
import type { BeyondReading } from '../../protocol/resources/api/parts.ts';
import { type Api, createRestApi } from '../../protocol/resources/api/rest-api.ts';
import type { Kind } from '../kinds/kind.ts';
import { openApiDocuments } from './openapi.ts';
import { bindPod, evictPod } from './pod-actions.ts';
import { reviewsOf } from './reviews.ts';
import { getScale, patchScale, replaceScale } from './scale.ts';
import { subresourcesOf } from './subresources.ts';
import { createObject, deleteObject, deleteObjects, patchObject, replaceObject } from './write.ts';
import type { WriteParts } from './write-parts.ts';

export function createApi(env: Env, parts: WriteParts): Api {
  return createRestApi(env, {
    ...parts,
    beyondReading: writing(parts),
    openApi: () => openApiDocuments(parts.kinds, 'Stile'),
  });
}

function writing(parts: WriteParts): BeyondReading<Kind> {
  return {
    handlers: {
      create: (env, _read, call) => createObject(env, parts, call),
      update: (env, _read, call) => replaceObject(env, parts, call),
      patch: (env, _read, call) => patchObject(env, parts, call),
      delete: (env, _read, call) => deleteObject(env, parts, call),
      deletecollection: (env, _read, call) => deleteObjects(env, parts, call),
    },
    subresourcesOf,
    subresourceHandlers: {
      status: {
        update: (env, _read, call) => replaceObject(env, parts, call),
        patch: (env, _read, call) => patchObject(env, parts, call),
      },
      scale: {
        get: (env, _read, call) => getScale(env, parts, call),
        update: (env, _read, call) => replaceScale(env, parts, call),
        patch: (env, _read, call) => patchScale(env, parts, call),
      },
      binding: { create: (env, _read, call) => bindPod(env, parts, call) },
      eviction: { create: (_env, _read, call) => evictPod(parts, call) },
    },
    reviews: reviewsOf(parts.store),
  };
}
