// Taking a transcript along: every format, looked at first, as a file or to the clipboard.

import {get, jobPath, Refused, request} from './api.js';
import {announce, button, el, labelled, open} from './dom.js';
import {t} from './texts.js';

const MOST_SHOWN = 20_000;

/** @param {{job: string, sync: import('./sync.js').Sync, told: any}} view */
export async function exporting(view) {
  const {data} = await get('/assets/formats.json');
  const format = el('select', {onchange: look}, ...data.map((/** @type {any} */ one) => el('option', {value: one.name}, `${one.title} (.${one.extension})`)));
  format.value = data.some((/** @type {any} */ one) => one.name === 'txt') ? 'txt' : data[0].name;
  const preview = el('pre', {tabindex: 0, dir: 'auto', role: 'region', 'aria-label': t('preview')});
  const save = el('a', {class: 'button', download: ''}, t('saveFile'));
  const copy = button(t('copy'), copied);
  const unsent = el('p', {role: 'status'});
  let text = '';

  async function look() {
    const {extension, binary} = data.find((/** @type {any} */ one) => one.name === format.value);
    const name = view.told.name.replace(/\.[^.]{1,5}$/, '') || 'transcript';
    const address = `${jobPath(view.job)}/result?format=${encodeURIComponent(format.value)}`;
    save.href = address;
    save.download = `${name}.${extension}`;
    copy.disabled = binary;
    preview.textContent = '';
    if (binary) return void (preview.textContent = t('noPreview'));
    try {
      text = await (await request(address)).text();
      preview.textContent = text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}\n…` : text;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      preview.textContent = error.message || t('offline');
    }
  }

  async function copied() {
    try {
      await navigator.clipboard.writeText(text);
      announce(t('copied'));
    } catch {
      getSelection()?.selectAllChildren(preview);
      announce(t('copyYourself'));
    }
  }

  open(t('export'), () => [labelled(t('format'), format), unsent, preview, el('div', {class: 'buttons'}, save, copy)], {close: t('close')}).classList.add('wide');
  if (!await view.sync.settled()) unsent.textContent = t('exportUnsent');
  await look();
}
