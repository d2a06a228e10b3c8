// The server's routes, and what they answer when something is wrong.

/** What the server refused, or that it did not answer: `status` 0. */
export class Refused extends Error {
  /** @param {string} message @param {number} status @param {string} code */
  constructor(message, status, code) {
    super(message);
    this.status = status;
    this.code = code;
  }

  /** Whether another try may help. */
  get passes() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/**
 * @param {string} path
 * @param {RequestInit & {json?: unknown}} [options]
 */
export async function request(path, options = {}) {
  const {json, ...rest} = options;
  if (json !== undefined) {
    rest.method ??= 'POST';
    rest.body = JSON.stringify(json);
    rest.headers = {...rest.headers, 'Content-Type': 'application/json'};
  }
  let answer;
  try {
    answer = await fetch(path, {credentials: 'same-origin', cache: 'no-store', ...rest});
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new Refused('', 0, 'unreachable');
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

/** @param {Response} answer */
async function refusal(answer) {
  let said;
  try {
    said = (await answer.json()).error;
  } catch {
    said = null;
  }
  if (answer.status === 401) window.dispatchEvent(new Event('signed-out'));
  return new Refused(said?.message ?? `HTTP ${answer.status}`, answer.status, said?.code ?? '');
}

/** @param {string} path @param {RequestInit & {json?: unknown}} [options] @returns {Promise<any>} */
export async function get(path, options) {
  return (await request(path, options)).json();
}

/** @param {string} id */
export const jobPath = id => `/v1/jobs/${encodeURIComponent(id)}`;

/**
 * A job's transcript and its revision.
 * @param {string} id
 * @param {Promise<Response>} [early] the answer, if it was asked for already
 * @returns {Promise<{transcript: import('./document.js').Transcript, revision: number}>}
 */
export async function transcriptOf(id, early) {
  const asked = await early?.catch(() => null);
  const answer = asked?.ok ? asked : await request(`${jobPath(id)}/transcript`);
  return {revision: Number((answer.headers.get('etag') ?? '0').replace(/[^0-9]/g, '')), transcript: await answer.json()};
}

/**
 * Change a transcript at a revision.
 * @param {string} id
 * @param {string} what `edits` or `speakers`
 * @param {number} revision
 * @param {unknown} json
 * @returns {Promise<Response>} holds the new `transcript` and `revision`
 */
export function change(id, what, revision, json) {
  return request(`${jobPath(id)}/${what}`, {json, headers: {'If-Match': `"${revision}"`}});
}

/**
 * Send a form, and tell how much of it is sent: fetch cannot.
 * @param {string} path
 * @param {FormData} form
 * @param {{progress: (share: number) => void, signal?: AbortSignal, key: string}} options `key` makes it safe to repeat
 * @returns {Promise<any>}
 */
export function upload(path, form, {progress, signal, key}) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open('POST', path);
    sending.responseType = 'json';
    sending.setRequestHeader('Idempotency-Key', key);
    sending.upload.addEventListener('progress', event => event.lengthComputable && progress(event.loaded / event.total));
    sending.addEventListener('load', () => {
      if (sending.status < 300) return resolve(sending.response);
      if (sending.status === 401) window.dispatchEvent(new Event('signed-out'));
      const said = sending.response?.error;
      reject(new Refused(said?.message ?? `HTTP ${sending.status}`, sending.status, said?.code ?? ''));
    });
    sending.addEventListener('error', () => reject(new Refused('', 0, 'unreachable')));
    sending.addEventListener('abort', () => reject(new DOMException('', 'AbortError')));
    signal?.addEventListener('abort', () => sending.abort());
    sending.send(form);
  });
}
