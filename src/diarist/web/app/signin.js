// The form that asks for a key, where the server wants one; the key becomes a cookie that no script can read.

import {el, labelled} from './dom.js';
import {t} from './texts.js';

/** @param {HTMLElement} root @param {() => void} done */
export function signIn(root, done) {
  const key = el('input', {type: 'password', autocomplete: 'current-password', required: true, spellcheck: 'false'});
  const said = el('p', {role: 'alert'});
  const form = el('form', {class: 'signin'}, el('h1', {}, t('signIn')), el('p', {}, t('signInHelp')), labelled(t('key'), key), el('button', {}, t('signIn')), said);
  form.addEventListener('submit', async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      const answer = await fetch('/session', {method: 'POST', headers: {Authorization: `Bearer ${key.value.trim()}`}});
      if (answer.ok) return done();
      said.textContent = (await answer.json()).error?.message ?? t('keyRefused');
    } catch {
      said.textContent = t('offline');
    }
    key.select();
  });
  root.append(form);
  key.focus();
}
