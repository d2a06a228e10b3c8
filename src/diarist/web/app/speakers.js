// The people in a recording: names, samples, playing one alone, merging, how many there are, remembering a voice.

import {change, get, Refused} from './api.js';
import {announce, button, el, labelled, open} from './dom.js';
import {COLOURS} from './paper.js';
import {joined} from './player.js';
import {t} from './texts.js';
import {clock} from './times.js';

/**
 * @typedef {import('./document.js').Transcript} Transcript
 * @typedef {{job: string, sync: import('./sync.js').Sync, player: import('./player.js').Player, told: any, go?: (segment: number) => void}} View
 */

/** Stretches in which somebody talks. @param {Transcript} transcript @param {(speaker: string|null) => boolean} who */
export function speech(transcript, who) {
  const turns = transcript.turns.length ? transcript.turns : transcript.segments;
  return joined(turns.filter(turn => who(turn.speaker)), 0.3);
}

/** Up to three stretches in which a speaker is heard alone, the longest first. @param {Transcript} transcript @param {string} label */
export function samples(transcript, label) {
  const others = speech(transcript, speaker => speaker !== label);
  const own = transcript.segments.filter(segment => segment.speaker === label && segment.end - segment.start >= 1);
  return own.sort((a, b) => (b.end - b.start) - (a.end - a.start)).slice(0, 100)
    .map(segment => ({
      start: segment.start,
      end: Math.min(segment.end, segment.start + 6),
      alone: !others.some(other => other.start < segment.end && other.end > segment.start),
    }))
    .sort((a, b) => Number(b.alone) - Number(a.alone) || (b.end - b.start) - (a.end - a.start)).slice(0, 3);
}

/** Seconds that each person talks. @param {Transcript} transcript */
function talked(transcript) {
  const seconds = new Map();
  for (const segment of transcript.segments) seconds.set(segment.speaker, (seconds.get(segment.speaker) ?? 0) + segment.end - segment.start);
  return seconds;
}

/** The panel. @param {View} view @param {HTMLElement} root */
export function people(view, root) {
  let drawn = '';
  /** @type {{kind: 'only'|'skip', label: string}|null} */
  let mode = null;
  const list = el('ul', {class: 'people'});
  const count = el('input', {type: 'number', min: 1, max: 40, inputmode: 'numeric', class: 'short'});
  const again = el('form', {class: 'count', onsubmit: recount}, labelled(t('howMany'), count), el('button', {}, t('findAgain')));
  root.append(el('h2', {}, t('people')), list, again);

  function draw() {
    const {transcript} = view.sync.script, seconds = talked(transcript);
    const now = JSON.stringify([transcript.speakers, mode, transcript.speakers.map(label => Math.round(seconds.get(label) ?? 0))]);
    if (now === drawn || root.contains(document.activeElement) && document.activeElement?.matches('.people input')) return;
    drawn = now;
    const focused = /** @type {HTMLElement|null} */ (root.contains(document.activeElement) ? document.activeElement : null)?.dataset.key;
    list.replaceChildren(...transcript.speakers.map((label, n) => person(label, n, seconds.get(label) ?? 0)));
    if (focused) /** @type {HTMLElement|null} */ (list.querySelector(`[data-key="${CSS.escape(focused)}"]`))?.focus();
    again.hidden = !transcript.turns.length;
    if (document.activeElement !== count) count.value = String(transcript.speakers.length);
  }

  /** @param {string} label @param {number} n @param {number} seconds */
  function person(label, n, seconds) {
    const field = el('input', {
      value: label, 'aria-label': t('nameOf', {name: label}), dir: 'auto', autocomplete: 'off', spellcheck: 'false', maxlength: 200,
      dataset: {key: `name ${n}`},
      onchange: () => {
        const written = field.value.replace(/\s+/gu, ' ').trim();
        field.value = label;
        if (written && written !== label) rename(view, label, written);
      },
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === 'Enter') {
          event.preventDefault(); // else it presses the button of the question that may follow
          field.blur();
        }
        if (event.key === 'Escape') {
          field.value = label;
          field.blur();
        }
      },
      onfocus: () => field.select(),
      onblur: () => setTimeout(draw),
    });
    let heard = 0;
    const isHeard = transcript().segments.some(segment => segment.speaker === label && segment.end - segment.start >= 1);
    const listen = button('▶', () => {
      const sample = samples(transcript(), label);
      if (sample.length) view.player.sample(sample[heard++ % sample.length]);
    }, {'aria-label': t('listenTo', {name: label}), title: t('listenTo', {name: label}), disabled: !isHeard, dataset: {key: `listen ${n}`}});
    const toggle = (/** @type {'only'|'skip'} */ kind, /** @type {string} */ text, /** @type {string} */ sign) => button(sign, () => {
      mode = mode?.kind === kind && mode.label === label ? null : {kind, label};
      restrict();
    }, {'aria-label': text, title: text, 'aria-pressed': String(mode?.kind === kind && mode.label === label), dataset: {key: `${kind} ${n}`}});
    return el('li', {class: `s${n % COLOURS}`},
      el('span', {class: 'number', 'aria-hidden': 'true'}, String(n + 1)), field,
      el('span', {class: 'talked'}, clock(seconds)),
      el('span', {class: 'buttons'}, listen, toggle('only', t('onlyPlay', {name: label}), '◉'), toggle('skip', t('skipPlay', {name: label}), '⊘'),
        button('⋯', () => more(view, label), {'aria-label': t('moreOf', {name: label}), title: t('moreOf', {name: label}), dataset: {key: `more ${n}`}})));
  }

  const transcript = () => view.sync.script.transcript;

  function restrict() {
    const spans = mode && speech(transcript(), speaker => (speaker === mode?.label) === (mode?.kind === 'only'));
    view.player.restrict(spans);
    draw();
  }

  /** @param {Event} event */
  async function recount(event) {
    event.preventDefault();
    const number = Number(count.value);
    if (!number) return;
    if (view.sync.revision > 0 && !await sure(t('recountLoses'))) return;
    if (!await view.sync.settled()) return announce(t('offline'));
    try {
      const answer = await change(view.job, 'speakers', view.sync.revision, {num_speakers: number});
      const {transcript: fresh, revision} = await answer.json();
      view.sync.replace(fresh, revision);
      announce(t('recounted', {n: fresh.speakers.length}));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      announce(error.message || t('offline'));
    }
  }

  draw();
  return {draw};
}

/** Ask before something is lost. @param {string} question @returns {Promise<boolean>} */
export function sure(question) {
  return new Promise(resolve => {
    let answer = false;
    open(question, close => [el('div', {class: 'buttons'},
      button(t('yes'), () => { answer = true; close(); }), button(t('no'), close, {autofocus: true}))],
    {closed: () => resolve(answer), close: t('close')});
  });
}

/** Give a speaker another name; one that is taken makes two speakers one, if that is meant. @param {View} view @param {string} label @param {string} name */
export async function rename(view, label, name) {
  if (!view.sync.current.speakers.includes(name)) view.sync.do([{op: 'rename', names: {[label]: name}}]);
  else if (await sure(t('mergeSure', {name: label, other: name}))) merge(view, label, name);
}

/** @param {View} view @param {string} label @param {string} into */
function merge(view, label, into) {
  view.sync.do([{op: 'merge', speakers: [label, into], into}]);
}

/** What else can be done with a speaker. @param {View} view @param {string} label */
function more(view, label) {
  const others = view.sync.current.speakers.filter(one => one !== label);
  open(label, close => [
    others.length > 0 && el('h3', {}, t('samePerson')),
    el('div', {class: 'buttons'}, ...others.map(one => button(one, () => { close(); merge(view, label, one); }, {dir: 'auto'}))),
    el('h3', {}, t('rememberVoice')),
    remember(view, label, close),
  ].filter(node => node !== false), {close: t('close')});
}

/** @param {View} view @param {string} label @param {() => void} close */
function remember(view, label, close) {
  const name = el('input', {value: label, required: true, maxlength: 200});
  const agreed = el('input', {type: 'checkbox', id: 'agreed', required: true});
  const how = el('input', {required: true, maxlength: 300, placeholder: t('consentExample')});
  const said = el('p', {role: 'status'});
  const form = el('form', {}, el('p', {}, t('rememberHelp')), labelled(t('name'), name),
    el('div', {class: 'check'}, agreed, el('label', {for: 'agreed'}, t('agreed'))), labelled(t('consent'), how),
    el('div', {class: 'buttons'}, el('button', {}, t('remember'))), said);
  form.addEventListener('submit', async (/** @type {Event} */ event) => {
    event.preventDefault();
    said.textContent = t('listening');
    try {
      await view.sync.settled();
      await get('/v1/voices', {json: {name: name.value.trim(), consent: how.value.trim(), job: view.job, speaker: label}});
      close();
      announce(t('remembered', {name: name.value.trim()}));
      if (name.value.trim() !== label) rename(view, label, name.value.trim());
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      said.textContent = error.message || t('offline');
    }
  });
  return form;
}

/** Choose who said something. @param {View} view @param {{first: number, stop: number}} range */
export function chooseSpeaker(view, range) {
  const text = /** @type {string[]} */ ([]);
  for (let unit = range.first; unit < Math.min(range.stop, range.first + 12); unit++) text.push(view.sync.script.unit(unit)?.text ?? '');
  const give = (/** @type {string|null} */ speaker) => {
    view.sync.do([{op: 'assign', ...range, speaker}]);
    view.go?.(view.sync.script.segmentOf(range.first));
  };
  open(t('whoSaidThis'), close => {
    const name = el('input', {maxlength: 200, autocomplete: 'off'});
    const form = el('form', {}, labelled(t('somebodyNew'), name), el('button', {}, t('give')));
    form.addEventListener('submit', (/** @type {Event} */ event) => {
      event.preventDefault();
      const written = name.value.replace(/\s+/gu, ' ').trim();
      if (!written) return;
      close();
      give(written);
    });
    return [el('blockquote', {dir: 'auto'}, `${text.join(' ')}${range.stop - range.first > 12 ? ' …' : ''}`),
      el('div', {class: 'buttons column'}, ...view.sync.current.speakers.map((label, n) => button(`${n + 1}  ${label}`, () => { close(); give(label); }, {class: `s${n % COLOURS}`, dir: 'auto'})),
        button(t('nobody'), () => { close(); give(null); })), form];
  }, {close: t('close')});
}
