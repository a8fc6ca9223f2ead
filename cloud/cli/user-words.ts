/** The words of `stile user`. */
import { type Command, Option } from 'commander';
import { userDaysDefault, userRoles } from '../../protocol/user-certificate.ts';
import { createUser, listUsers, revokeUsers } from './commands/user.ts';
import { countOption, optionsOf, outputOption, repeatedOption } from './options.ts';
import type { World } from './ports.ts';

export function addUserCommands(user: Command, world: World): void {
  user
    .command('create')
    .description('let somebody in: writes a kubeconfig with a certificate and a key of their own')
    .argument('<name>')
    .addOption(
      new Option('--role <role>', 'what they may do: everything, run workloads and terminals, or look')
        .choices(userRoles)
        .makeOptionMandatory(),
    )
    .addOption(repeatedOption('--pool <pool>', 'an operator may change what belongs to it alone; may be repeated'))
    .addOption(countOption('--days <count>', `how long the certificate is good (${userDaysDefault})`, 1))
    .option('-o, --output <file>', 'the kubeconfig that is written, - for stdout (NAME.kubeconfig)')
    .action((name, _, command) => createUser(world, name, optionsOf(command)));
  user
    .command('list')
    .description('list the users that the hub signed a certificate for, and what is bound to them')
    .addOption(outputOption())
    .action((_, command) => listUsers(world, optionsOf(command)));
  user
    .command('revoke')
    .description('end the certificates of users at once, also those signed by hand, and take their roles away')
    .argument('<name...>')
    .action((names, _, command) => revokeUsers(world, names, optionsOf(command)));
}
