// Finding again, in a transcript that somebody else has changed, the words that an edit was made for.

import {Script, units} from './document.js';

/**
 * @typedef {import('./operations.js').Operation} Operation
 * @typedef {import('./queue.js').Anchor} Anchor
 */

/** The words, or for a join the segments, that an operation names. @param {Script} script @param {Operation} operation */
export function anchorOf(script, operation) {
  if (operation.op === 'join') {
    const held = script.segments.slice(operation.first, operation.stop);
    return {start: held[0]?.start ?? 0, texts: held.map(segment => segment.text)};
  }
  const range = rangeOf(operation);
  if (!range) return null;
  const texts = [];
  for (let unit = range[0]; unit < range[1]; unit++) texts.push(script.unit(unit)?.text ?? '');
  return {start: script.unit(range[0])?.start ?? 0, texts};
}

/**
 * The same operation for another transcript; null where its words are not there any more.
 * @param {Script} script
 * @param {Operation} operation
 * @param {Anchor|null|undefined} anchor
 * @returns {Operation|null}
 */
export function moved(script, operation, anchor) {
  if (operation.op === 'rename') {
    const there = Object.entries(operation.names).filter(([label]) => script.transcript.speakers.includes(label));
    return there.length ? {...operation, names: Object.fromEntries(there)} : null;
  }
  if (operation.op === 'merge') {
    return operation.speakers.every(label => script.transcript.speakers.includes(label)) ? operation : null;
  }
  if (!anchor) return null;
  if (operation.op === 'join') {
    const first = script.segments.findIndex(segment => close(segment.start, anchor.start) && segment.text === anchor.texts[0]);
    const stop = first + anchor.texts.length;
    const fits = first >= 0 && anchor.texts.every((text, n) => script.segments[first + n]?.text === text);
    return fits ? {...operation, first, stop} : null;
  }
  const first = find(script, anchor);
  if (first < 0) return null;
  return operation.op === 'split' ? {...operation, word: first} : {...operation, first, stop: first + anchor.texts.length};
}

/** Shift the words that an operation names, where others before them came or went. @param {Operation} operation @param {number} from @param {number} by */
export function shifted(operation, from, by) {
  const move = (/** @type {number} */ unit) => unit >= from ? unit + by : unit;
  if (operation.op === 'split') return {...operation, word: move(operation.word)};
  if (operation.op === 'assign' || operation.op === 'replace') {
    return {...operation, first: move(operation.first), stop: move(operation.stop)};
  }
  return operation;
}

/** @param {Operation} operation @returns {[number, number]|null} */
export function rangeOf(operation) {
  if (operation.op === 'split') return [operation.word, operation.word + 1];
  return operation.op === 'assign' || operation.op === 'replace' ? [operation.first, operation.stop] : null;
}

/** The word behind those that one edit has written, as it is counted here. @param {Operation[]} operations @param {Script} before @param {Script} after */
export function behind(operations, before, after) {
  const range = operations.length === 1 ? rangeOf(operations[0]) : null;
  return range ? range[1] + after.numUnits - before.numUnits : undefined;
}

/** @param {Script} script @param {Anchor} anchor */
function find(script, {start, texts}) {
  for (let number = 0; number < script.segments.length; number++) {
    const segment = script.segments[number];
    if (segment.start > start + 0.01) break;
    if (segment.end < start - 0.01) continue;
    const at = units(segment).findIndex(word => close(word.start, start) && word.text === texts[0]);
    if (at >= 0 && texts.every((text, n) => script.unit(script.first[number] + at + n)?.text === text)) {
      return script.first[number] + at;
    }
  }
  return -1;
}

/** @param {number} a @param {number} b */
const close = (a, b) => Math.abs(a - b) < 0.0015;
