/** Versions of the runtime and their order: MAJOR.MINOR.PATCH, with what semver.org allows after a hyphen. Pure. */

const form = /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:-([0-9A-Za-z][0-9A-Za-z.-]{0,63}))?$/;

export function isVersion(text: string): boolean {
  return form.test(text);
}

/** Negative: `one` is older. A pre-release comes before its release; a text that is no version before all that are. */
export function compareVersions(one: string, other: string): number {
  const [a, b] = [form.exec(one), form.exec(other)];
  if (a === null || b === null) return Number(a !== null) - Number(b !== null);
  for (const index of [1, 2, 3]) {
    const difference = Number(a[index]) - Number(b[index]);
    if (difference !== 0) return difference;
  }
  return comparePreReleases(a[4], b[4]);
}

export function newerVersion(one: string, other: string): string {
  return compareVersions(one, other) < 0 ? other : one;
}

/** Source: semver.org 2.0.0, item 11. */
function comparePreReleases(one: string | undefined, other: string | undefined): number {
  if (one === undefined || other === undefined) return Number(one === undefined) - Number(other === undefined);
  const [a, b] = [one.split('.'), other.split('.')];
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const [x, y] = [a[index], b[index]];
    if (x === undefined || y === undefined) return Number(x !== undefined) - Number(y !== undefined);
    const numbers = [x, y].map((part) => /^\d+$/.test(part));
    if (numbers[0] !== numbers[1]) return numbers[0] ? -1 : 1;
    if (x !== y) return numbers[0] ? Number(x) - Number(y) : x < y ? -1 : 1;
  }
  return 0;
}
