// A job under way: its stages and words as they come, through broken connections.

import {get, jobPath, Refused} from './api.js';

/**
 * Watch a job until it is over.
 * @param {string} id
 * @param {{progress: (stages: Record<string, number>, words: {word: string, start: number, end: number, spaced: boolean|null}[], offset: number) => void,
 *   ended: (job: any) => void, lost?: () => void}} listener
 * @returns {() => void} stops watching
 */
export function watch(id, listener) {
  let stopped = false;
  const source = new EventSource(`${jobPath(id)}/events`);
  source.addEventListener('progress', event => {
    const {stages, words, offset} = JSON.parse(event.data);
    listener.progress(stages, words, offset);
  });
  source.addEventListener('end', event => {
    stop();
    listener.ended(JSON.parse(event.data));
  });
  source.addEventListener('error', () => {
    if (stopped) return;
    listener.lost?.();
    // The browser tries again by itself unless the answer was none that it can read.
    if (source.readyState === EventSource.CLOSED) setTimeout(again, 2000);
  });

  async function again() {
    if (stopped) return;
    try {
      const job = await get(jobPath(id));
      if (stopped) return;
      if (job.status === 'queued' || job.status === 'running') {
        stop();
        inner = watch(id, listener);
      } else {
        stop();
        listener.ended(job);
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.passes) setTimeout(again, 3000);
      else {
        stop();
        listener.ended(null);
      }
    }
  }

  /** @type {(() => void)|undefined} */
  let inner;
  function stop() {
    stopped = true;
    source.close();
    inner?.();
  }
  return stop;
}

/** How far a job is as a whole: what takes longest counts. @param {Record<string, number>} stages */
export function share(stages) {
  const weights = {transcription: 0.7, diarization: 0.3};
  return Object.entries(weights).reduce((sum, [stage, weight]) => sum + weight * (stages[stage] ?? 0), 0);
}
