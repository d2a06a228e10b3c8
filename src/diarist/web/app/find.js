// Find and replace in one transcript.

import {announce, button, el, labelled} from './dom.js';
import {Script} from './document.js';
import {rewritten} from './operations.js';
import {t} from './texts.js';

/** @typedef {{segment: number, from: number, to: number}} Found */

/**
 * Everywhere a text stands; letters of either case and with or without accents are the same.
 * @param {Script} script
 * @param {string} what
 * @param {boolean} exact whether case and accents count
 * @returns {Found[]}
 */
export function findAll(script, what, exact) {
  const wanted = plain(what.replace(/\s+/gu, ' ').trim(), exact);
  /** @type {Found[]} */
  const found = [];
  if (!wanted) return found;
  script.segments.forEach((segment, number) => {
    const text = plain(segment.text, exact);
    // Where letters and accents are one character here and two there, only the exact text has places.
    const source = text.length === segment.text.length ? text : segment.text.toLowerCase();
    for (let at = source.indexOf(wanted); at >= 0; at = source.indexOf(wanted, at + wanted.length)) {
      found.push({segment: number, from: at, to: at + wanted.length});
    }
  });
  return found;
}

/** @param {string} text @param {boolean} exact */
function plain(text, exact) {
  return exact ? text : text.normalize('NFD').replace(/\p{Mn}/gu, '').toLowerCase();
}

/**
 * The edits that replace places, from the end, so that the words of each are where it says.
 * @param {Script} script
 * @param {Found[]} found
 * @param {string} text
 */
export function replacing(script, found, text) {
  /** @type {Map<number, Found[]>} */
  const bySegment = new Map();
  for (const one of found) bySegment.set(one.segment, [...bySegment.get(one.segment) ?? [], one]);
  return Array.from(bySegment).sort(([a], [b]) => b - a).flatMap(([number, ones]) => {
    let written = script.segments[number].text;
    for (const {from, to} of ones.reverse()) written = written.slice(0, from) + text + written.slice(to);
    return rewritten(script, number, written) ?? [];
  });
}

/**
 * The bar in which one finds and replaces.
 * @param {{sync: import('./sync.js').Sync, show: (found: Found[], here: number) => void}} view
 */
export function findBar({sync, show}) {
  /** @type {Found[]} */
  let found = [];
  let here = -1;
  const what = el('input', {type: 'search', autocomplete: 'off', spellcheck: 'false', oninput: () => look(false), onkeydown: onkey});
  const by = el('input', {autocomplete: 'off', onkeydown: onkey});
  const exact = el('input', {type: 'checkbox', id: 'exact', onchange: () => look(false)});
  const count = el('output', {role: 'status'});
  const bar = el('form', {class: 'find', role: 'search', 'aria-label': t('findReplace'), onsubmit: (/** @type {Event} */ event) => event.preventDefault()},
    labelled(t('findWhat'), what), labelled(t('replaceBy'), by),
    el('div', {class: 'check'}, exact, el('label', {for: 'exact'}, t('exact'))), count,
    el('div', {class: 'buttons'},
      button('↑', () => step(-1), {'aria-label': t('findBefore')}), button('↓', () => step(1), {'aria-label': t('findNext')}),
      button(t('replaceOne'), one), button(t('replaceAll'), all),
      button('✕', close, {class: 'quiet', 'aria-label': t('close')})));

  /** @param {boolean} stay */
  function look(stay) {
    found = findAll(sync.script, what.value, exact.checked);
    here = found.length ? Math.min(Math.max(stay ? here : 0, 0), found.length - 1) : -1;
    count.textContent = what.value.trim() ? t('foundCount', {n: found.length, here: here + 1}) : '';
    show(found, here);
  }

  /** @param {number} by */
  function step(by) {
    if (!found.length) return;
    here = (here + by + found.length) % found.length;
    count.textContent = t('foundCount', {n: found.length, here: here + 1});
    show(found, here);
  }

  function one() {
    if (here < 0) return;
    sync.do(replacing(sync.script, [found[here]], by.value));
    look(true);
  }

  function all() {
    const {length} = found;
    if (!length) return;
    sync.do(replacing(sync.script, found, by.value));
    look(false);
    announce(t('replaced', {n: length}));
  }

  /** @param {KeyboardEvent} event */
  function onkey(event) {
    event.stopPropagation();
    if (event.key === 'Escape') close();
    if (event.key === 'Enter') {
      event.preventDefault();
      if (event.target === by) one(); else step(event.shiftKey ? -1 : 1);
    }
  }

  function close() {
    bar.remove();
    found = [];
    show([], -1);
  }

  return {bar, open: () => { look(true); what.focus(); what.select(); }, again: () => bar.isConnected && look(true), close};
}
