// The first page: give recordings, and see those that there are.

import {get, jobPath, Refused, upload} from './api.js';
import {announce, button, el, labelled} from './dom.js';
import {microphone} from './microphone.js';
import {forget} from './queue.js';
import {sure} from './speakers.js';
import {LANGUAGES, t} from './texts.js';
import {clock, moment} from './times.js';
import {share, watch} from './watch.js';
import {voicesPart} from './voices.js';

const PAGE = 30;
const REMEMBERED = 'diarist.options';

/** @param {HTMLElement} root @returns {() => void} ends it */
export function start(root) {
  document.title = t('title');
  const ends = /** @type {(() => void)[]} */ ([]);
  const list = listing(ends);
  const choices = options();

  /** @param {File} file */
  async function send(file) {
    const form = choices.form();
    form.append('file', file, file.name);
    return list.sending(file.name, progress => upload('/v1/jobs', form, progress));
  }

  const chosen = el('input', {type: 'file', multiple: true, id: 'files', class: 'unseen', accept: 'audio/*,video/*,.mkv,.opus,.flac,.amr,.caf'});
  chosen.addEventListener('change', () => {
    Array.from(chosen.files).reduce((before, file) => before.then(() => send(file)), Promise.resolve(true));
    chosen.value = '';
  });
  const drop = el('div', {class: 'drop'}, el('p', {}, t('dropHere')), chosen, el('label', {for: 'files', class: 'button'}, t('choose')));
  const over = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    drop.classList.add('over');
  };
  const dropped = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    drop.classList.remove('over');
    Array.from(event.dataTransfer?.files ?? []).reduce((before, file) => before.then(() => send(file)), Promise.resolve(true));
  };
  document.addEventListener('dragover', over);
  document.addEventListener('drop', dropped);
  drop.addEventListener('dragleave', () => drop.classList.remove('over'));
  ends.push(() => {
    document.removeEventListener('dragover', over);
    document.removeEventListener('drop', dropped);
  });

  const url = el('input', {type: 'url', placeholder: 'https://', autocomplete: 'off'});
  const byUrl = el('form', {class: 'url'}, labelled(t('url'), url), el('button', {}, t('fetch')));
  byUrl.addEventListener('submit', (/** @type {Event} */ event) => {
    event.preventDefault();
    const address = url.value.trim();
    if (!address) return;
    const form = choices.form();
    form.append('url', address);
    list.sending(address, progress => upload('/v1/jobs', form, progress)).then(sent => { if (sent) url.value = ''; });
  });

  root.append(el('div', {class: 'start'}, el('h1', {}, t('title')), el('p', {class: 'note', role: 'status', id: 'loading'}),
    drop, byUrl, microphone(send), choices.root, voicesPart(), list.root));
  ends.push(loading());
  return () => ends.forEach(end => end());
}

/** Say while models load that they do. @returns {() => void} */
function loading() {
  let ended = false;
  async function look() {
    if (ended) return;
    const place = document.getElementById('loading');
    try {
      const answer = await fetch('/health');
      const {status} = await answer.json();
      if (place) place.textContent = status === 'loading' ? t('loadingModels') : '';
      if (status !== 'loading') return;
    } catch {
      if (place) place.textContent = t('offline');
    }
    setTimeout(look, 2000);
  }
  look();
  return () => { ended = true; };
}

/** What a recording is understood with; kept in this browser. */
function options() {
  const language = el('select', {}, el('option', {value: ''}, t('detect')), ...languages());
  const count = el('input', {type: 'number', min: 1, max: 40, class: 'short', placeholder: t('asHeard')});
  const words = el('input', {autocomplete: 'off', placeholder: t('hotwordsExample')});
  const fields = {language, count, words};
  try {
    const was = JSON.parse(localStorage.getItem(REMEMBERED) ?? '{}');
    language.value = was.language ?? '';
    words.value = was.words ?? '';
  } catch { /* a browser that keeps nothing */ }
  const root = el('details', {class: 'options'}, el('summary', {}, t('options')),
    labelled(t('language'), language), labelled(t('howManyPeople'), count, t('howManyHelp')), labelled(t('hotwords'), words, t('hotwordsHelp')));
  root.addEventListener('change', () => {
    try {
      localStorage.setItem(REMEMBERED, JSON.stringify({language: fields.language.value, words: fields.words.value}));
    } catch { /* a browser that keeps nothing */ }
  });
  function form() {
    const data = new FormData();
    data.append('model', 'diarist');
    data.append('diarize', 'true');
    if (language.value) data.append('language', language.value);
    if (count.value) data.append('num_speakers', count.value);
    for (const word of words.value.split(/[,;\n]/).map((/** @type {string} */ one) => one.trim()).filter(Boolean)) data.append('hotwords[]', word);
    return data;
  }
  return {root, form};
}

/** Languages by their names in the reader's. */
function languages() {
  const names = new Intl.DisplayNames(undefined, {type: 'language'});
  return LANGUAGES.map(code => [code, names.of(code) ?? code]).sort(([, a], [, b]) => a.localeCompare(b))
    .map(([code, name]) => el('option', {value: code}, name));
}

/** The list of recordings, and the search over them. @param {(() => void)[]} ends */
function listing(ends) {
  const rows = el('ul', {class: 'jobs'});
  const sendings = el('ul', {class: 'jobs'});
  const empty = el('p', {class: 'note', hidden: true}, t('noneYet'));
  const older = button(t('older'), () => page(last), {hidden: true});
  const query = el('input', {type: 'search', autocomplete: 'off'});
  const hits = el('ul', {class: 'hits'});
  const found = el('p', {role: 'status'});
  const search = el('form', {class: 'search', role: 'search'}, labelled(t('searchAll'), query));
  let asked = 0, last = '';
  search.addEventListener('submit', (/** @type {Event} */ event) => event.preventDefault());
  query.addEventListener('input', () => {
    const mine = ++asked;
    setTimeout(() => mine === asked && look(query.value.trim(), mine), 150);
  });

  /** @param {string} text @param {number} mine */
  async function look(text, mine) {
    rows.hidden = sendings.hidden = Boolean(text);
    older.hidden = Boolean(text) || older.dataset.more !== 'yes';
    empty.hidden = true;
    if (!text) {
      hits.replaceChildren();
      found.textContent = '';
      return;
    }
    try {
      const {data} = await get(`/v1/search?q=${encodeURIComponent(text)}`);
      if (mine !== asked) return;
      found.textContent = t('hits', {n: data.length});
      hits.replaceChildren(...data.map((/** @type {any} */ hit) => el('li', {},
        el('a', {href: `#/${hit.job.id}${hit.start === null ? '' : `/${hit.start}`}/${encodeURIComponent(text)}`, dir: 'auto'}, hit.job.name || t('recording')),
        el('p', {dir: 'auto'}, hit.text))));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      found.textContent = error.message || t('offline');
    }
  }

  /** @param {any} job */
  function row(job) {
    const item = el('li', {dataset: {id: job.id}});
    const bar = el('progress', {max: 1, value: share(job.stages), 'aria-label': t('progress')});
    const state = el('span', {class: 'state'});
    const facts = el('span', {class: 'facts'});
    const cancel = button(t('cancel'), () => get(`${jobPath(job.id)}/cancel`, {method: 'POST'}).then(show, refused), {class: 'quiet'});
    const erase = button(t('delete'), async () => {
      if (!await sure(t('deleteSure', {name: job.name || t('recording')}))) return;
      try {
        await fetch(jobPath(job.id), {method: 'DELETE'});
        forget(job.id);
        item.remove();
        empty.hidden = rows.childElementCount > 0;
      } catch (error) { refused(error); }
    }, {class: 'quiet', 'aria-label': t('deleteOf', {name: job.name})});
    item.append(el('a', {href: `#/${job.id}`, dir: 'auto'}, job.name || t('recording')), state, facts, bar, el('span', {class: 'buttons'}, cancel, erase));

    /** @param {any} now */
    function show(now) {
      Object.assign(job, now);
      const busy = job.status === 'queued' || job.status === 'running';
      item.dataset.state = job.status;
      state.textContent = job.status === 'queued' ? t('queued', {n: job.position ?? 1}) : t(`state_${job.status}`);
      if (job.error) state.textContent = `${t('state_failed')}: ${job.error.message ?? ''}`;
      facts.textContent = [job.seconds && clock(job.seconds), moment(job.created), job.speakers && t('peopleCount', {n: job.speakers})].filter(Boolean).join(' · ');
      bar.hidden = cancel.hidden = !busy;
    }
    show(job);
    if (job.status === 'queued' || job.status === 'running') {
      const stop = watch(job.id, {
        progress: stages => {
          if (job.status === 'queued' && share(stages) > 0) show({status: 'running'});
          bar.value = share(stages);
        },
        ended: now => {
          if (!now) return;
          show(now);
          announce(`${job.name}: ${t(`state_${now.status}`)}`);
        },
      });
      ends.push(stop);
    }
    return item;
  }

  /** @param {string} [before] */
  async function page(before) {
    try {
      const {data, has_more} = await get(`/v1/jobs?limit=${PAGE}${before ? `&before=${encodeURIComponent(before)}` : ''}`);
      data.forEach((/** @type {any} */ job) => rows.append(row(job)));
      last = data.at(-1)?.id ?? last;
      older.hidden = !has_more;
      older.dataset.more = has_more ? 'yes' : 'no';
      empty.hidden = rows.childElementCount > 0;
    } catch (error) { refused(error); }
  }

  /** @param {unknown} error */
  function refused(error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status !== 401) announce(error.message || t('offline'));
  }

  /**
   * @param {string} name
   * @param {(options: {progress: (share: number) => void, signal: AbortSignal, key: string}) => Promise<any>} work
   */
  async function sending(name, work) {
    const stop = new AbortController();
    const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');
    const bar = el('progress', {max: 1, value: 0, 'aria-label': t('sending')});
    const state = el('span', {class: 'state', role: 'status'}, t('sending'));
    const buttons = el('span', {class: 'buttons'}, button(t('cancel'), () => stop.abort(), {class: 'quiet'}));
    const item = el('li', {}, el('span', {dir: 'auto'}, name), state, bar, buttons);
    sendings.append(item);
    for (;;) {
      try {
        const job = await work({progress: done => { bar.value = done; }, signal: stop.signal, key});
        item.remove();
        rows.prepend(row(job));
        empty.hidden = true;
        return true;
      } catch (error) {
        if (!(error instanceof Refused)) {
          item.remove();
          return false;
        }
        state.textContent = error.message || t('offline');
        if (!error.passes) {
          buttons.replaceChildren(button(t('dismiss'), () => item.remove(), {class: 'quiet'}));
          bar.remove();
          return false;
        }
        await new Promise(resolve => setTimeout(resolve, 3000));
        if (stop.signal.aborted) {
          item.remove();
          return false;
        }
      }
    }
  }

  page();
  return {root: el('section', {class: 'listing'}, el('h2', {}, t('recordings')), search, found, hits, sendings, rows, empty, older), sending};
}
