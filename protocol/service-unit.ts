/**
 * systemd units of our two programs, as text. Pure. What each line is for stands in the unit itself, because that is
 * what an operator reads. Source: systemd.service(5), systemd.exec(5), systemd.kill(5), systemd.resource-control(5).
 */
import { AppError } from './errors.ts';

export interface ServiceUnit {
  description: string;
  /** The program with all its words; the first is an absolute path. */
  command: readonly string[];
  /** Absolute; the one place that the service writes to. */
  dataDir: string;
  /** Missing: root. */
  user?: string;
  /** Whose children outlive a crash of the service, or go with it. */
  children: 'outlive' | 'end';
  /** It runs containers, and needs the mounts of the machine for it instead of some of its own. */
  containers?: true;
  /** Between SIGTERM and SIGKILL. */
  stopSeconds: number;
  /** Present: the service says READY and sends signs of life through systemd-notify; silent for so long, it is restarted. */
  watchdogSeconds?: number;
}

const RESTART_SECONDS = 5;
/** To open the stores on slow flash; joining included. */
const START_SECONDS = 300;
const FILES_MAX = 65_536;

/** Errors: `E_INPUT_INVALID` for a path or name that a unit cannot hold. */
export function serviceUnitText(unit: ServiceUnit): string {
  if (!unit.dataDir.startsWith('/') || !unit.command[0]?.startsWith('/'))
    throw new AppError('E_INPUT_INVALID', 'a service needs absolute paths');
  if (unit.user !== undefined && !/^[A-Za-z_][A-Za-z0-9_-]{0,31}$/.test(unit.user))
    throw new AppError('E_INPUT_INVALID', `"${unit.user}" is no name of a user`);
  return `${[...unitSection(unit), '', ...serviceSection(unit), '', '[Install]', 'WantedBy=multi-user.target'].join('\n')}\n`;
}

function unitSection({ description }: ServiceUnit): string[] {
  return [
    '[Unit]',
    `Description=${description}`,
    '# Not network-online.target: it starts and works without a network.',
    'After=network.target',
    '# Never gives up.',
    'StartLimitIntervalSec=0',
  ];
}

function serviceSection(unit: ServiceUnit): string[] {
  return [
    '[Service]',
    ...typeLines(unit),
    `ExecStart=${unit.command.map(quoted).join(' ')}`,
    ...(unit.user === undefined ? [] : [`User=${unit.user}`]),
    'Restart=always',
    `RestartSec=${RESTART_SECONDS}`,
    `TimeoutStopSec=${unit.stopSeconds}`,
    ...childLines(unit),
    `LimitNOFILE=${FILES_MAX}`,
    'UMask=0077',
    'NoNewPrivileges=yes',
    ...mountLines(unit),
    'LockPersonality=yes',
    '# Not MemoryDenyWriteExecute: the engine compiles at run time.',
    ...(unit.children === 'outlive' ? terminalLines : hubLines),
  ];
}

function mountLines({ containers, dataDir }: ServiceUnit): string[] {
  if (containers)
    return [
      '# Containers: network namespaces outlive the service only among the mounts of the machine. So not ProtectSystem,',
      '# PrivateTmp, ProtectKernelModules, ProtectKernelLogs; and not ProtectHostname, for containers have names.',
    ];
  return [
    'ProtectSystem=strict',
    `ReadWritePaths=${quoted(dataDir)}`,
    'PrivateTmp=yes',
    'ProtectKernelModules=yes',
    'ProtectKernelLogs=yes',
    'ProtectHostname=yes',
  ];
}

/** Pods drive devices and may be of another word size. */
const terminalLines = [
  '# Not PrivateDevices, ProtectKernelTunables, SystemCallArchitectures: they would bind the pods too.',
];
const hubLines = [
  'PrivateDevices=yes',
  'ProtectKernelTunables=yes',
  'ProtectControlGroups=yes',
  'RestrictSUIDSGID=yes',
  'RestrictNamespaces=yes',
  'RestrictRealtime=yes',
  'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK',
  'SystemCallArchitectures=native',
  'CapabilityBoundingSet=CAP_NET_BIND_SERVICE',
];

function typeLines({ watchdogSeconds }: ServiceUnit): string[] {
  if (watchdogSeconds === undefined)
    return ['# No watchdog: nothing tells systemd that the service lives.', 'Type=exec'];
  return [
    'Type=notify',
    '# Signs of life come from systemd-notify, a child of the service.',
    'NotifyAccess=all',
    `TimeoutStartSec=${START_SECONDS}`,
    `WatchdogSec=${watchdogSeconds}`,
    'WatchdogSignal=SIGKILL',
  ];
}

function childLines({ children }: ServiceUnit): string[] {
  if (children === 'end') return ['KillMode=mixed'];
  return [
    '# SIGTERM reaches the runtime alone, which ends the pods in order; after a crash they go on and are adopted.',
    'KillMode=process',
    '# A pod that is out of memory is no reason to stop the others.',
    'OOMPolicy=continue',
    'Delegate=yes',
  ];
}

/** A word of a unit: `%`, `$`, quotes and blanks mean something to systemd. Errors: `E_INPUT_INVALID`. */
function quoted(word: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to refuse.
  if (/[\u0000-\u001f\u007f]/.test(word) || word === '')
    throw new AppError('E_INPUT_INVALID', `${JSON.stringify(word)} cannot stand in a unit`);
  const escaped = word.replaceAll('%', '%%').replaceAll('$', '$$$$').replaceAll('\\', '\\\\').replaceAll('"', '\\"');
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? escaped : `"${escaped}"`;
}
