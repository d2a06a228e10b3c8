// Keys: what each does while one reads, and the sheet that says so.

import {el, isField, open} from './dom.js';
import {t} from './texts.js';

/**
 * Keys and what they do. `Mod` is Ctrl, on a Mac ⌘; keys with it, with Alt or with a number work while one writes, too.
 * @param {Record<string, (event: KeyboardEvent) => void>} actions by names of keys
 * @returns {() => void} ends it
 */
export function bind(actions) {
  /** @param {KeyboardEvent} event */
  function press(event) {
    if (event.defaultPrevented || event.isComposing || document.querySelector('dialog[open]')) return;
    const mod = event.ctrlKey || event.metaKey;
    const named = event.key === ' ' ? 'Space' : event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const digit = /^Digit[1-9]$/.test(event.code) && (event.altKey || !event.shiftKey) ? event.code.slice(5) : named;
    const key = `${mod ? 'Mod+' : ''}${event.altKey ? 'Alt+' : ''}${event.shiftKey && (event.key.length > 1 || mod || named === 'Space') ? 'Shift+' : ''}${digit}`;
    const action = actions[key];
    if (!action) return;
    const passes = mod || event.altKey || /^F\d+$/.test(event.key);
    if (isField(event.target) && !passes) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if ((key === 'Space' || key === 'Enter') && target.closest('button,a,summary,input,select')) return;
    if (/^Arrow|^Home|^End/.test(key) && target.closest('input,select')) return;
    event.preventDefault();
    action(event);
  }
  document.addEventListener('keydown', press);
  return () => document.removeEventListener('keydown', press);
}

const SHEET = {
  keysHear: [['Space', 'keyPlay'], ['← →', 'keyJump'], ['Mod+Space', 'keyPlayWriting'], ['< >', 'keySpeed'], ['L', 'keyLoop'], ['P', 'keyPauses'], ['Z X', 'keyZoom']],
  keysRead: [['↑ ↓', 'keyLines'], ['Home End', 'keyEnds'], ['D ⇧D', 'keyDoubt'], ['O ⇧O', 'keyOverlap'], ['F', 'keyFollow']],
  keysPut: [['Enter', 'keyWrite'], ['Esc', 'keyLeave'], ['Enter', 'keySplit'], ['⌫', 'keyJoin'], ['⇧↑ ⇧↓', 'keySelect'], ['1 … 9', 'keyGive'], ['Alt+1 … 9', 'keyGiveWriting'], ['S', 'keyWho'], ['M', 'keyMerge']],
  keysAll: [['Mod+Z', 'keyUndo'], ['Mod+⇧Z', 'keyRedo'], ['Mod+F', 'keyFind'], ['Mod+S', 'keyExport'], ['?', 'keyHelp']],
};

/** The sheet. */
export function help() {
  const mac = /Mac|iP/.test(navigator.platform);
  open(t('keys'), () => Object.entries(SHEET).map(([title, keys]) => el('section', {},
    el('h3', {}, t(title)),
    el('dl', {class: 'keys'}, ...keys.flatMap(([key, text]) => [el('dt', {}, el('kbd', {}, key.replace('Mod', mac ? '⌘' : 'Ctrl'))), el('dd', {}, t(text))])))),
  {close: t('close')}).classList.add('wide');
}
