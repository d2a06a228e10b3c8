// Places that want a look: doubtful words and where several talk at once, one after the other.

import {isDoubtful, isOverlapped} from './marks.js';

/**
 * The next place of a kind, as words from first to before stop; null for none. Behind the last comes the first.
 * @param {import('./document.js').Script} script
 * @param {'doubt'|'overlap'} kind
 * @param {number} from a word
 * @param {1|-1} way
 */
export function nextPlace(script, kind, from, way) {
  const is = kind === 'doubt' ? isDoubtful : isOverlapped;
  const all = places(script, is);
  if (!all.length) return null;
  const found = way > 0 ? all.find(place => place.first > from) ?? all[0] : all.findLast(place => place.stop <= from) ?? all[all.length - 1];
  return {...found, number: all.indexOf(found) + 1, count: all.length};
}

/** @param {import('./document.js').Script} script @param {(word: import('./document.js').Word) => boolean} is */
function places(script, is) {
  /** @type {{first: number, stop: number}[]} */
  const found = [];
  script.segments.forEach((segment, number) => segment.words.forEach((word, n) => {
    if (!is(word)) return;
    const unit = script.first[number] + n, last = found.at(-1);
    if (last && last.stop === unit && is === isOverlapped) last.stop++;
    else found.push({first: unit, stop: unit + 1});
  }));
  return found;
}
