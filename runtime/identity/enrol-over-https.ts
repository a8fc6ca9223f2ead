/** The terminal's first two requests, and the one for its next certificate, over `undici`. */
import { Agent, request } from 'undici';
import { type EnrolAnswer, type EnrolRequest, enrolBodyBytesMax, readEnrolAnswer } from '../../protocol/enrolment.ts';
import { AppError, asAppError, type ErrorCode, errorTable } from '../../protocol/errors.ts';
import { pinnedConnector } from '../../protocol/node/pinned-tls.ts';
import type { RenewRequest } from '../../protocol/renewal.ts';
import type { EnrolFetcher } from './identity.ts';
import type { RenewFetcher } from './own-identity.ts';

const CONNECT_MS_MAX = 15_000;
const ANSWER_MS_MAX = 30_000;

export const enrolOverHttps: EnrolFetcher = {
  authority: (hubUrl) =>
    // Nothing is trusted here: the token's fingerprint decides about what comes.
    exchange(hubUrl, { rejectUnauthorized: false, minVersion: 'TLSv1.3', timeout: CONNECT_MS_MAX }, async (agent) => {
      const { statusCode, body } = await request(`${hubUrl}/stile/v1/ca`, { dispatcher: agent });
      const text = await boundedText(body);
      if (statusCode !== 200) throw refusal(hubUrl, statusCode, text);
      return text;
    }),
  enrol: (hubUrl, caPem, wish) =>
    exchange(
      hubUrl,
      pinnedConnector(() => ({ caPem })),
      (agent) => sendRequest(hubUrl, agent, 'enrol', wish),
    ),
};

export const renewOverHttps: RenewFetcher = (hubUrl, trust, wish) =>
  exchange(
    hubUrl,
    pinnedConnector(() => trust),
    (agent) => sendRequest(hubUrl, agent, 'renew', wish),
  );

async function sendRequest(
  hubUrl: string,
  agent: Agent,
  what: 'enrol' | 'renew',
  wish: EnrolRequest | RenewRequest,
): Promise<EnrolAnswer> {
  const { statusCode, body } = await request(`${hubUrl}/stile/v1/${what}`, {
    dispatcher: agent,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(wish),
  });
  const text = await boundedText(body);
  if (statusCode !== 200) throw refusal(hubUrl, statusCode, text);
  try {
    return readEnrolAnswer(JSON.parse(text));
  } catch (error) {
    throw new AppError('E_REMOTE', `the hub at ${hubUrl} sent an answer that cannot be read`, { cause: error });
  }
}

async function exchange<T>(
  hubUrl: string,
  connect: NonNullable<Agent.Options['connect']>,
  work: (agent: Agent) => Promise<T>,
): Promise<T> {
  const agent = new Agent({
    connect,
    headersTimeout: ANSWER_MS_MAX,
    bodyTimeout: ANSWER_MS_MAX,
  });
  try {
    return await work(agent);
  } catch (error) {
    if (/^ERR_SSL_/.test(String((error as { code?: unknown } | undefined)?.code)))
      throw new AppError(
        'E_LINK_UNREACHABLE',
        `what answers at ${hubUrl} does not speak TLS 1.3 as a hub does: check --hub and proxies on the way`,
        { cause: error },
      );
    throw asAppError(
      error,
      'E_LINK_UNREACHABLE',
      `the hub at ${hubUrl} cannot be reached, check --hub and the network`,
    );
  } finally {
    await agent.destroy();
  }
}

/** The hub's refusal with its own code and sentence. */
function refusal(hubUrl: string, status: number, text: string): AppError {
  try {
    const { code, message, retryAfterMs } = JSON.parse(text) as Record<string, unknown>;
    if (typeof code === 'string' && code in errorTable)
      return new AppError(
        code as ErrorCode,
        String(message).slice(0, 1_000),
        typeof retryAfterMs === 'number' ? { retryAfterMs } : {},
      );
  } catch {
    // Not one of our answers: a proxy or a captive portal spoke.
  }
  return new AppError('E_REMOTE', `what answers at ${hubUrl} is no hub (HTTP status ${status})`);
}

async function boundedText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > enrolBodyBytesMax) throw new AppError('E_WIRE_TOO_LARGE', 'the hub answered with too much');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
