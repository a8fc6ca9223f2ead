/** Prints the demo's steps, and stops it when something that it claims does not hold. */

export class Report {
  #steps = 0;
  #proved = 0;

  step(title: string): void {
    this.#steps += 1;
    process.stdout.write(`\n${this.#steps}. ${title}\n`);
  }

  /** A fact that was observed. */
  say(fact: string): void {
    process.stdout.write(`   ${fact}\n`);
  }

  /** A claim and what was observed; a claim that does not hold ends the demo. */
  prove(claim: string, holds: boolean, observed: string): void {
    if (!holds) throw new Error(`${claim} does not hold: ${observed}`);
    this.#proved += 1;
    process.stdout.write(`   ✔ ${claim}: ${observed}\n`);
  }

  summary(): string {
    return `${this.#steps} steps, ${this.#proved} claims proved`;
  }
}
