/** The words of `stile rollout`. */
import type { Command } from 'commander';
import { type RolloutOptions, rolloutHistory, rolloutRestart, rolloutStatus, rolloutUndo } from './commands/rollout.ts';
import { countOption, durationOption, optionsOf } from './options.ts';
import type { World } from './ports.ts';

export function addRolloutCommands(rollout: Command, world: World): void {
  rollout
    .command('status')
    .description('tell how far a rollout is, until it is over: KIND NAME or KIND/NAME')
    .argument('<what...>')
    .addOption(durationOption('--timeout <duration>', 'how long to wait; 0 looks once', '10m'))
    .action((what, _, command) => rolloutStatus(world, what, optionsOf<RolloutOptions>(command)));
  rollout
    .command('history')
    .description('show what ran before, and why')
    .argument('<what...>')
    .addOption(countOption('--revision <number>', 'show this revision as a whole', 1))
    .action((what, _, command) => rolloutHistory(world, what, optionsOf<RolloutOptions>(command)));
  rollout
    .command('undo')
    .description('go back to the revision before, or to any; shows what that means in each pool')
    .argument('<what...>')
    .addOption(countOption('--to-revision <number>', 'go to this revision', 1))
    .option('--dry-run', 'only tell what would happen')
    .action((what, _, command) => rolloutUndo(world, what, optionsOf<RolloutOptions>(command)));
  rollout
    .command('restart')
    .description('replace all pods by new ones of the same template')
    .argument('<what...>')
    .action((what, _, command) => rolloutRestart(world, what, optionsOf<RolloutOptions>(command)));
}
