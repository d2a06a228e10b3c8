// Known voices, on the start page: whose voice is remembered, and forgetting it.

import {get, Refused} from './api.js';
import {announce, button, el} from './dom.js';
import {t} from './texts.js';

export function voicesPart() {
  const list = el('ul', {class: 'voices'});
  const root = el('details', {class: 'options'}, el('summary', {}, t('knownVoices')), el('p', {class: 'note'}, t('knownVoicesHelp')), list);
  root.addEventListener('toggle', () => root.open && draw());

  async function draw() {
    try {
      const {data} = await get('/v1/voices');
      list.replaceChildren(...data.map((/** @type {any} */ voice) => el('li', {},
        el('span', {dir: 'auto'}, voice.name), el('small', {}, voice.consent ?? ''),
        button(t('forget'), async () => {
          await fetch(`/v1/voices/${encodeURIComponent(voice.name)}`, {method: 'DELETE'});
          draw();
        }, {class: 'quiet', 'aria-label': t('forgetOf', {name: voice.name})}))));
      if (!data.length) list.append(el('li', {class: 'note'}, t('noVoices')));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      announce(error.message || t('offline'));
    }
  }
  return root;
}
