/**
 * Logging through pino, JSON lines on stderr. No pino transports: they need worker files that a packed executable
 * does not have (pino docs/bundling.md).
 */
import pino from 'pino';
import type { Log, LogFields } from '../env.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Members that never reach a line, whoever puts them into the fields. */
const secretFields = ['token', 'secret', 'password', 'authorization', 'privateKey', 'key'];

export function createLog(level: LogLevel, bindings: LogFields = {}): Log {
  const logger = pino(
    {
      level,
      base: bindings,
      redact: { paths: secretFields.flatMap((field) => [field, `*.${field}`]), censor: '[redacted]' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd: 2, sync: true }),
  );
  return adapt(logger);
}

function adapt(logger: pino.Logger): Log {
  return {
    debug: (event, fields) => logger.debug(fields ?? {}, event),
    info: (event, fields) => logger.info(fields ?? {}, event),
    warn: (event, fields) => logger.warn(fields ?? {}, event),
    error: (event, fields) => logger.error(fields ?? {}, event),
    child: (fields) => adapt(logger.child(fields)),
  };
}
