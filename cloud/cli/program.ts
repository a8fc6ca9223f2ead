/** The words of the command line. Each action hands typed options to a command; nothing is decided here. */
import { Argument, Command, Option } from 'commander';
import type { LogLevel } from '../../protocol/node/log.ts';
import { programVersion } from '../../protocol/program-version.ts';
import { apply } from './commands/apply.ts';
import { showAudit } from './commands/audit.ts';
import { type CheckOptions, check } from './commands/check.ts';
import { complete, printCompletion } from './commands/completion.ts';
import { type DeleteOptions, deleteByName, deleteObjects } from './commands/delete.ts';
import { describe, describeByName } from './commands/describe.ts';
import { type DiffOptions, diff } from './commands/diff.ts';
import { edit } from './commands/edit.ts';
import { showEvents } from './commands/events.ts';
import { type GetOptions, get } from './commands/get.ts';
import { backUp, restoreHub } from './commands/hub-backup.ts';
import { type HubServiceOptions, installHub, uninstallHub } from './commands/hub-service.ts';
import { deleteImages, listImages, pushToHub } from './commands/image.ts';
import { decideNodes, moveNodes, setSchedulable, showSession } from './commands/node.ts';
import { createPool } from './commands/pool.ts';
import { createToken, deleteTokens, listTokens } from './commands/token.ts';
import { getTwin, showHistory, watchTwin } from './commands/twin.ts';
import { type InvokeOptions, invokeAction } from './commands/twin-invoke.ts';
import { setTwins, unsetTwins } from './commands/twin-set.ts';
import { version } from './commands/version.ts';
import { type WaitOptions, wait } from './commands/wait.ts';
import { shells } from './completion-scripts.ts';
import {
  addConnectionOptions,
  countOption,
  durationOption,
  objectOutputOption,
  optionsOf,
  outputOption,
  repeatedOption,
  truthOption,
  wordsOption,
} from './options.ts';
import type { World } from './ports.ts';
import { addRolloutCommands } from './rollout-words.ts';
import { addUserCommands } from './user-words.ts';
import { parseWaitCondition } from './wait-condition.ts';

/** Records that `stile audit` shows. */
const AUDIT_LIMIT_DEFAULT = 1_000;

export function buildProgram(world: World): Command {
  const program = new Command('stile')
    .description('OpenYurt for terminals too small for a kubelet: the hub and its operator’s command line')
    .version(programVersion, '--version', 'print the version of this program')
    .configureHelp({ showGlobalOptions: true })
    // Faults are thrown instead of told: `main` tells every fault in the same words.
    .configureOutput({ outputError: () => {} })
    .exitOverride();
  addConnectionOptions(program);
  addObjectCommands(program, world);
  addWatchCommand(program, world);
  addWaitCommand(program, world);
  addRolloutCommands(program.command('rollout').description('revisions of deployments and yurtappsets'), world);
  addEventCommand(program, world);
  addAuditCommand(program, world);
  addCheckCommand(program, world);
  addNodeCommands(program.command('node').description('terminals'), world);
  addPoolCommands(program.command('pool').description('nodes of one region or site'), world);
  addTwinCommands(program.command('twin').description('what nodes and devices shall be, and are'), world);
  addTokenCommands(program.command('token').description('what lets a terminal enrol'), world);
  addUserCommands(program.command('user').description('who may use the API, and what they may do'), world);
  addImageCommands(program.command('image').description('what pods run'), world);
  addHubCommands(program.command('hub').description('the cloud process'), world);
  program
    .command('version')
    .description('print the versions of this program and of the server')
    .option('--client', 'only of this program')
    .addOption(outputOption())
    .action((_, command) => version(world, optionsOf(command)));
  addCompletion(program, world);
  return program;
}

function addObjectCommands(program: Command, world: World): void {
  addFiles(program.command('apply'))
    .description('make the server’s objects what the manifests say')
    .addOption(
      new Option('--dry-run <how>', 'only tell what would happen: at the client, or asked of the server')
        .choices(['none', 'client', 'server'])
        .default('none'),
    )
    .addOption(outputOption())
    .action((_, command) => apply(world, optionsOf(command)));
  addFiles(program.command('diff'))
    .description('show what apply would change, for a YurtAppSet in each pool too; exit code 1 when anything would')
    .action((_, command) => diff(world, optionsOf<DiffOptions>(command)));
  addSelection(program.command('get'))
    .description('list objects: KIND[,KIND] [NAME...] or KIND/NAME...')
    .argument('<what...>')
    .option('-w, --watch', 'go on telling what changes')
    .option('--no-headers', 'leave out the head of tables')
    .addOption(objectOutputOption())
    .action((what, _, command) => get(world, what, optionsOf(command)));
  program
    .command('describe')
    .description('tell all about objects: KIND [NAME...] or KIND/NAME...')
    .argument('<what...>')
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('-l, --selector <labels>', 'only objects with these labels')
    .action((what, _, command) => describe(world, what, optionsOf(command)));
  program
    .command('edit')
    .description('change an object in $KUBE_EDITOR, $EDITOR or vi: KIND NAME or KIND/NAME')
    .argument('<what...>')
    .action((what, _, command) => edit(world, what, optionsOf(command)));
  addDeletion(addFiles(program.command('delete')))
    .description('delete objects: -f FILE, KIND NAME... or KIND/NAME...')
    .argument('[what...]')
    .option('--all', 'all objects of the kind in the namespace')
    .option('-l, --selector <labels>', 'all objects with these labels')
    .action((what, _, command) => deleteObjects(world, what, optionsOf(command)));
}

function addWatchCommand(program: Command, world: World): void {
  addSelection(program.command('watch'))
    .description('list objects and go on telling what changes (get --watch)')
    .argument('<what...>')
    .option('--no-headers', 'leave out the head of the table')
    .addOption(objectOutputOption())
    .action((what, _, command) => get(world, what, { ...optionsOf<GetOptions>(command), watch: true }));
}

function addWaitCommand(program: Command, world: World): void {
  addSelection(program.command('wait'))
    .description('wait until objects fulfil a condition or are gone: KIND NAME..., KIND/NAME..., KIND -l or --all')
    .argument('<what...>')
    .addOption(
      new Option('--for <what>', 'condition=NAME[=VALUE], delete or jsonpath={.path}[=VALUE]')
        .argParser(parseWaitCondition)
        .makeOptionMandatory(),
    )
    .option('--all', 'all objects of the kind in the namespace')
    .addOption(durationOption('--timeout <duration>', 'how long to wait; 0 looks once', '30s'))
    .action((what, _, command) => wait(world, what, optionsOf<WaitOptions>(command)));
}

function addCompletion(program: Command, world: World): void {
  program
    .command('completion')
    .description('print what a shell loads to complete stile, e.g. source <(stile completion bash)')
    .addArgument(new Argument('<shell>').choices(shells))
    .action((shell) => printCompletion(world, shell));
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .action((words) => complete(world, program, words));
}

function addNodeCommands(node: Command, world: World): void {
  addListing(node, world, 'nodes');
  addDescribing(node, world, 'nodes');
  for (const [verb, schedulable, words] of [
    ['cordon', false, 'let no new pods come; what runs there keeps running'],
    ['uncordon', true, 'let new pods come again'],
  ] as const)
    node
      .command(verb)
      .description(words)
      .argument('<name...>')
      .action((names, _, command) => setSchedulable(world, names, schedulable, optionsOf(command)));
  node
    .command('session')
    .description('what the connection of a terminal carried, and how far its view is')
    .argument('<name>')
    .addOption(outputOption())
    .action((name, _, command) => showSession(world, name, optionsOf(command)));
  for (const [decision, words] of [
    ['revoke', 'end the identity of a terminal that was stolen or copied: even its key does not bring it back'],
    ['resume', 'let a terminal in again that was shut out because two seemed to use its identity'],
  ] as const)
    node
      .command(decision)
      .description(words)
      .argument('<name...>')
      .action((names, _, command) => decideNodes(world, names, decision, optionsOf(command)));
  node
    .command('move')
    .description('put a terminal into another pool; it keeps its identity, its workloads follow the pool')
    .argument('<name...>')
    .requiredOption('--pool <pool>', 'the pool that it shall belong to')
    .action((names, _, command) => moveNodes(world, names, optionsOf(command)));
  addDeleting(node, world, 'nodes');
}

function addPoolCommands(pool: Command, world: World): void {
  addListing(pool, world, 'nodepools');
  addDescribing(pool, world, 'nodepools');
  pool
    .command('create')
    .description('make a pool')
    .argument('<name>')
    .addOption(new Option('--type <type>', 'where its nodes are').choices(['Edge', 'Cloud']).default('Edge'))
    .option('--host-network', 'its pods use the network of their node')
    .addOption(repeatedOption('--label <key=value>', 'a label of the pool; may be repeated'))
    .addOption(repeatedOption('--node-label <key=value>', 'a label that its nodes get; may be repeated'))
    .addOption(repeatedOption('--node-annotation <key=value>', 'an annotation that its nodes get; may be repeated'))
    .addOption(repeatedOption('--node-taint <key=value:effect>', 'a taint that its nodes get; may be repeated'))
    .action((name, _, command) => createPool(world, name, optionsOf(command)));
  addDeleting(pool, world, 'nodepools');
}

function addTwinCommands(twin: Command, world: World): void {
  addListing(twin, world, 'twins');
  for (const [verb, run, words] of [
    ['get', getTwin, 'show the twin of a node or a device (NAMESPACE.NAME)'],
    ['watch', watchTwin, 'show it and go on telling what changes'],
    ['history', showHistory, 'who changed desired, when and how; the last 64 changes'],
  ] as const)
    twin
      .command(verb)
      .description(words)
      .argument('<twin>')
      .addOption(outputOption())
      .action((id, _, command) => run(world, id, optionsOf(command)));
  for (const [verb, run, form, words] of [
    ['set', setTwins, 'path=value', 'change desired; a value is JSON where it is JSON, else a text'],
    ['unset', unsetTwins, 'path', 'remove members of desired'],
  ] as const)
    twin
      .command(verb)
      .description(`${words}: TWIN ${form.toUpperCase()}..., or ${form.toUpperCase()}... with --pool or -l`)
      .argument(`<${form}...>`)
      .option('--pool <pool>', 'of all nodes of this pool; with -l, of what it finds there')
      .option('-l, --selector <labels>', 'of all twins with these labels, which are those of their node and device')
      .option('--yes', 'change many without being asked')
      .option('--dry-run', 'only tell which would change')
      .addOption(countOption('--if-version <version>', 'only when desired has this version', 1))
      .action((list, _, command) => run(world, list, optionsOf(command)));
  twin
    .command('invoke')
    .description('have a device do something, at most once, and wait for what became of it')
    .argument('<twin>')
    .argument('<action>', 'a command of the device’s profile')
    .argument('[input...]', 'JSON, or path=value...')
    .addOption(durationOption('--timeout <duration>', 'not begun later, and not waited for longer', '60s'))
    .addOption(outputOption())
    .action((id, action, input, _, command) =>
      invokeAction(world, id, action, input, optionsOf<InvokeOptions>(command)),
    );
}

function addAuditCommand(program: Command, world: World): void {
  program
    .command('audit')
    .description('show who changed what, from where and with what outcome; in all namespaces unless -n names one')
    .argument('[name]', 'only of what has this name')
    .addOption(durationOption('--since <duration>', 'only what happened so long ago at most', '24h'))
    .option('--user <name>', 'only of this user')
    .option('--resource <plural>', 'only of this resource, e.g. configmaps, deployments.apps, pods/binding, tokens')
    .addOption(countOption('-l, --limit <count>', 'only so many, the newest', 1).default(AUDIT_LIMIT_DEFAULT))
    .addOption(outputOption(['table', 'json', 'yaml']))
    .action((name, _, command) => showAudit(world, name, optionsOf(command)));
}

function addCheckCommand(program: Command, world: World): void {
  program
    .command('check')
    .description('tell how the hub, its terminals and its workloads are: green, yellow or red, and what to do')
    .option('--database', 'also look through the hub’s database; its writers wait meanwhile')
    .addOption(outputOption(['table', 'json', 'yaml']))
    .action((_, command) => check(world, optionsOf<CheckOptions>(command)));
}

function addEventCommand(program: Command, world: World): void {
  program
    .command('events')
    .description('show what the apps of terminals reported, in the order in which the hub took it')
    .option('--node <name>', 'only of this terminal')
    .option('--type <type>', 'only events of this type; without it, what terminals say of themselves is left out')
    .addOption(durationOption('--since <duration>', 'only what happened so long ago at most', '1h'))
    .option('--after <cursor>', 'only what came after this cursor, which an earlier call told')
    .option('-w, --watch', 'go on with what comes')
    .addOption(outputOption())
    .action((_, command) => showEvents(world, optionsOf(command)));
}

function addTokenCommands(token: Command, world: World): void {
  token
    .command('create')
    .description('make a join token; it is the last line of the output')
    .requiredOption('--pool <name>', 'the pool that the terminal joins')
    .option('--node <name>', 'only a node of this name may use it')
    .option('--replace', 'it may take the name of a node that is enrolled already')
    .addOption(durationOption('--ttl <duration>', 'how long it is good', '1h'))
    .addOption(countOption('--uses <count>', 'how many terminals may use it', 1).default(1))
    .action((_, command) => createToken(world, optionsOf(command)));
  token
    .command('list')
    .description('list the join tokens that are still good')
    .addOption(outputOption())
    .action((_, command) => listTokens(world, optionsOf(command)));
  token
    .command('delete')
    .description('make join tokens useless')
    .argument('<id...>')
    .action((ids, _, command) => deleteTokens(world, ids, optionsOf(command)));
}

function addImageCommands(image: Command, world: World): void {
  image
    .command('push')
    .description('bring a folder, an OCI layout or an OCI archive to the hub as an image')
    .argument('<source>', 'a folder that becomes the image root, an OCI layout, or an OCI archive')
    .argument('<name:tag>')
    .addOption(wordsOption('--entrypoint <word>', 'a word of what the image runs; repeat it for each'))
    .addOption(wordsOption('--cmd <word>', 'a word of its default arguments; repeat it for each'))
    .addOption(wordsOption('--env <name=value>', 'a variable of its environment; may be repeated'))
    .option('--working-dir <path>', 'where in the image it starts')
    .option('--platform <os/architecture>', 'what a folder runs on, or which image of several to take')
    .action((source, reference, _, command) => pushToHub(world, source, reference, optionsOf(command)));
  image
    .command('list')
    .description('list the images that the hub keeps')
    .addOption(outputOption())
    .action((_, command) => listImages(world, optionsOf(command)));
  image
    .command('delete')
    .description('forget images; nodes keep what they run')
    .argument('<name:tag...>')
    .action((names, _, command) => deleteImages(world, names, optionsOf(command)));
}

interface HubOptions {
  dataDir: string;
  listen: string;
  advertise: string[];
  logLevel: LogLevel;
}

function addHubCommands(hub: Command, world: World): void {
  addHubService(hub, world);
  hub
    .command('backup')
    .description('write the whole hub, while it runs, into one file in a folder')
    .argument('<folder>')
    .action((folder, _, command) => backUp(world, folder, optionsOf(command)));
  hub
    .command('restore')
    .description('make a data directory of a backup; terminals resync and send again what they retained')
    .argument('<file>')
    .requiredOption('--data-dir <dir>', 'a new or empty folder')
    .action((file, _, command) => restoreHub(world, file, optionsOf<HubOptions>(command).dataDir));
  hub
    .command('serve')
    .description('run the hub until it is told to stop')
    .requiredOption('--data-dir <dir>', 'where the hub keeps everything; made when missing')
    .requiredOption('--listen <host:port>', 'where it listens; port 0 picks a free one and keeps it')
    .addOption(repeatedOption('--advertise <host:port>', 'how terminals and operators reach it; may be repeated'))
    .addOption(new Option('--log-level <level>').choices(['debug', 'info', 'warn', 'error']).default('info'))
    .action(async (_, command) => {
      const { dataDir, listen, advertise, logLevel } = optionsOf<HubOptions>(command);
      const { serveHub } = await import('../hub/serve.ts');
      await serveHub({ dataDir, listen, advertise, logLevel });
    });
}

function addHubService(hub: Command, world: World): void {
  const root = () => new Option('--root <dir>', 'of an image that is being built; nothing is started');
  hub
    .command('install')
    .description('make the hub a service of systemd on this machine')
    .requiredOption('--data-dir <dir>', 'where the hub keeps everything; made when missing')
    .requiredOption('--listen <host:port>', 'where it listens')
    .addOption(repeatedOption('--advertise <host:port>', 'how terminals and operators reach it; may be repeated'))
    .option('--user <name>', 'the user it runs as, instead of root')
    .option('--dry-run', 'only print the unit')
    .addOption(root())
    .action((_, command) => installHub(world, optionsOf<HubServiceOptions>(command)));
  hub
    .command('uninstall')
    .description('stop and remove the service; the data stays')
    .addOption(root())
    .action((_, command) => uninstallHub(world, optionsOf<HubServiceOptions>(command)));
}

function addListing(noun: Command, world: World, kind: string): void {
  noun
    .command('list')
    .description(`list ${kind}`)
    .option('-l, --selector <labels>', 'only those with these labels')
    .option('-w, --watch', 'go on telling what changes')
    .option('--no-headers', 'leave out the head of the table')
    .addOption(objectOutputOption())
    .action((_, command) => get(world, [kind], optionsOf(command)));
}

function addDescribing(noun: Command, world: World, kind: string): void {
  noun
    .command('describe')
    .description('tell all about it')
    .argument('<name...>')
    .action((names, _, command) => describeByName(world, kind, names, optionsOf(command)));
}

function addDeleting(noun: Command, world: World, kind: string): void {
  addDeletion(noun.command('delete'))
    .description('delete it')
    .argument('<name...>')
    .action((names, _, command) =>
      deleteByName(world, kind, names, { ...optionsOf<DeleteOptions>(command), filename: [] }),
    );
}

function addFiles(command: Command): Command {
  return command
    .addOption(repeatedOption('-f, --filename <path>', 'a file, a folder or - for standard input; may be repeated'))
    .option('-R, --recursive', 'folders with all that is in them');
}

function addSelection(command: Command): Command {
  return command
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('-l, --selector <labels>', 'only objects with these labels, e.g. app=gate,tier!=test')
    .option('--field-selector <fields>', 'only objects with these fields, e.g. spec.nodeName=gate-1');
}

function addDeletion(command: Command): Command {
  return command
    .addOption(countOption('--grace-period <seconds>', 'what a pod gets to stop; 0 forgets it at once', 0))
    .option('--ignore-not-found', 'what does not exist counts as deleted')
    .addOption(truthOption('--wait <true|false>', 'whether to wait until the objects are gone', true))
    .addOption(durationOption('--timeout <duration>', 'how long to wait', '60s'))
    .addOption(new Option('-o, --output <format>', 'what is printed').choices(['table', 'name']).default('table'));
}
