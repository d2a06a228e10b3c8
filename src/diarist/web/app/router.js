// Which view is shown, by the address behind the #: all recordings, or one.

import {get, jobPath, Refused} from './api.js';
import {announce, button, el} from './dom.js';
import {signIn} from './signin.js';
import {start} from './start.js';
import {Sync} from './sync.js';
import {t} from './texts.js';
import {view} from './view.js';
import {waiting} from './waiting.js';

const root = /** @type {HTMLElement} */ (document.getElementById('root'));
/** @type {(() => void)|undefined} */
let end;
let turn = 0;
/** The answer with the first transcript, which may be on its way. @type {Promise<Response>|null} */
let early = null;

async function show() {
  const mine = ++turn;
  end?.();
  end = undefined;
  root.replaceChildren();
  const [, job, ...rest] = location.hash.split('/').map(decodeURIComponent);
  const at = {start: rest.length > 1 ? Number(rest[0]) : null, text: rest.at(-1) ?? ''};
  try {
    const ends = job ? await one(job, at, mine) : await all();
    if (mine === turn) end = ends; else ends?.();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (mine !== turn || error.status === 401) return;
    root.replaceChildren(el('div', {class: 'signin'}, el('h1', {}, t('cannotShow')), el('p', {role: 'alert'}, error.message || t('offline')),
      el('div', {class: 'buttons'}, button(t('again'), show), el('a', {class: 'button quiet', href: '#/'}, t('back')))));
    if (error.passes) setTimeout(() => mine === turn && show(), 3000);
  }
}

async function all() {
  await get('/v1/jobs?limit=1');
  return start(root);
}

/** @param {string} id @param {{start: number|null, text: string}} at @param {number} mine */
async function one(id, at, mine) {
  // Mostly there is a transcript, so both are asked for at once.
  const opening = Sync.open(id, early ?? undefined);
  early = null;
  opening.catch(() => {});
  const told = await get(jobPath(id));
  if (mine !== turn) return undefined;
  if (told.status === 'completed') return view(root, told, await opening, at);
  opening.then(sync => sync.close(), () => {});
  if (told.status === 'queued' || told.status === 'running') {
    return waiting(root, told, ended => {
      if (mine !== turn) return;
      announce(t(ended ? `state_${ended.status}` : 'gone'));
      show();
    });
  }
  root.append(el('div', {class: 'signin'}, el('h1', {dir: 'auto'}, told.name || t('recording')),
    el('p', {role: 'alert'}, told.error ? `${told.error.message ?? ''} ${told.error.hint ?? ''}` : t(`state_${told.status}`)), el('a', {class: 'button', href: '#/'}, t('back'))));
  return undefined;
}

addEventListener('hashchange', show);
addEventListener('signed-out', () => {
  if (root.querySelector('.signin input')) return;
  turn++;
  end?.();
  end = undefined;
  root.replaceChildren();
  signIn(root, show);
});

/** Show what the address says, from now on. @param {Promise<Response>|null} answer with the first transcript */
export function begin(answer) {
  early = answer;
  show();
}
