// A recording that is being understood: stages, time left, and the words as they become final.

import {get, jobPath, Refused} from './api.js';
import {announce, button, el} from './dom.js';
import {t} from './texts.js';
import {about} from './times.js';
import {share, watch} from './watch.js';

/**
 * @param {HTMLElement} root
 * @param {any} told the job
 * @param {(job: any) => void} ended
 * @returns {() => void} ends it
 */
export function waiting(root, told, ended) {
  const bars = new Map();
  const stages = el('div', {class: 'stages'});
  const left = el('p', {class: 'left', role: 'status'});
  const words = el('p', {class: 'words', dir: 'auto', 'aria-label': t('wordsSoFar'), role: 'log', 'aria-live': 'off', tabindex: 0});
  const text = document.createTextNode('');
  words.append(text);
  const cancel = button(t('cancel'), async () => {
    cancel.disabled = true;
    try {
      await get(`${jobPath(told.id)}/cancel`, {method: 'POST'});
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      cancel.disabled = false;
      announce(error.message || t('offline'));
    }
  });
  root.append(el('div', {class: 'waiting'}, el('h1', {dir: 'auto'}, told.name || t('recording')), stages, left,
    el('div', {class: 'buttons'}, cancel, el('a', {class: 'button quiet', href: '#/'}, t('back'))), words));
  let count = 0;
  /** @type {{at: number, done: number}|null} */
  let since = null;
  let spoken = 0;

  /** @param {Record<string, number>} now */
  function show(now) {
    for (const stage of ['transcription', 'diarization']) {
      if (!bars.has(stage)) {
        const bar = el('progress', {max: 1, value: 0, 'aria-label': t(`stage_${stage}`)});
        stages.append(el('div', {class: 'stage'}, el('span', {}, t(`stage_${stage}`)), bar));
        bars.set(stage, bar);
      }
      bars.get(stage).value = now[stage] ?? 0;
    }
    const done = share(now);
    if (done > 0 && !since) since = {at: performance.now(), done};
    const pace = since && done > since.done ? (performance.now() - since.at) / 1000 / (done - since.done) : 0;
    const percent = Math.round(done * 100);
    const says = done === 0 && told.status === 'queued' ? t('queued', {n: told.position ?? 1})
      : pace && done > 0.05 ? t('percentLeft', {percent, time: about(pace * (1 - done))}) : t('percent', {percent});
    // Said to screen readers at each tenth, not at each change.
    left.setAttribute('aria-live', Math.floor(percent / 10) !== spoken ? 'polite' : 'off');
    spoken = Math.floor(percent / 10);
    left.textContent = says;
    document.title = `${percent} % · ${told.name || t('recording')}`;
  }

  show(told.stages ?? {});
  return watch(told.id, {
    progress(now, fresh, offset) {
      told.status = 'running';
      show(now);
      const unseen = fresh.slice(Math.max(0, count - offset));
      if (!unseen.length) return;
      const atEnd = words.scrollHeight - words.scrollTop - words.clientHeight < 40;
      text.appendData(unseen.map((word, n) => (count + n && word.spaced !== false ? ' ' : '') + word.word).join(''));
      count += unseen.length;
      if (atEnd) words.scrollTop = words.scrollHeight;
    },
    ended,
    lost: () => { left.textContent = t('reconnecting'); },
  });
}
