/**
 * The image store of a simulated terminal. Fault model: a fetch takes seconds, fails while the hub is out of reach and
 * now and then for no reason; content that is complete survives crashes and power cuts and needs no network.
 */
import { AppError } from '../../protocol/errors.ts';
import type { Images, LocalImage } from '../../runtime/workloads/ports.ts';
import type { NodeDisk } from './node-disk.ts';
import type { SimRandom } from './random.ts';
import type { Life } from './world.ts';

const FETCH_MS_MAX = 4_000;
const FAILURE_RATE = 0.05;

/** The port of one life. `reachable` says whether the hub answers now. */
export function simImages(life: Life, disk: NodeDisk, random: SimRandom, reachable: () => boolean): Images {
  const local = async (digest: string) => (disk.live.images.has(digest) ? imageOf(digest) : undefined);
  return {
    local,
    ensure: async (digest, signal) => {
      const known = await local(digest);
      if (known !== undefined) return known;
      await life.clock.sleep(random.between(100, FETCH_MS_MAX), signal);
      if (!reachable() || random.chance(FAILURE_RATE))
        throw new AppError('E_LINK_UNREACHABLE', 'the hub did not answer while the image was fetched');
      await disk.commit((state) => {
        state.images.add(digest);
      });
      return imageOf(digest);
    },
    collect: async (inUse) => {
      await disk.commit((state) => {
        for (const digest of state.images) if (!inUse.has(digest)) state.images.delete(digest);
      });
    },
  };
}

function imageOf(digest: string): LocalImage {
  const config = { entrypoint: [], cmd: [], env: [], workingDir: '/' };
  return { digest, rootDirectory: `/images/${digest.slice(7, 19)}`, config };
}
