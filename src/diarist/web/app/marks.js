// What is marked in the text: the word that is said, doubtful words, several at once, what was found. The browser paints
// ranges; no word is an element.

import {offsets, units} from './document.js';

/**
 * @typedef {import('./document.js').Segment} Segment
 * @typedef {import('./paper.js').Paper} Paper
 */

const DOUBTFUL = 0.5;

/** @param {import('./document.js').Word} word */
export const isDoubtful = word => word.confidence !== null && word.confidence !== undefined && word.confidence < DOUBTFUL;

/** @param {import('./document.js').Word} word */
export const isOverlapped = word => word.overlap === true;

export class Marks {
  /** @param {Paper} paper */
  constructor(paper) {
    this.paper = paper;
    /** @type {Map<Segment, {doubt: StaticRange[], overlap: StaticRange[]}>} */
    this.drawn = new Map();
    this.kinds = Object.fromEntries(['overlap', 'doubt', 'found', 'here', 'now'].map((name, priority) => {
      const highlight = new Highlight();
      highlight.priority = priority;
      CSS.highlights.set(name, highlight);
      return [name, highlight];
    }));
  }

  close() {
    Object.keys(this.kinds).forEach(name => CSS.highlights.delete(name));
  }

  /** Mark what a new transcript holds; what is marked of the old one and stays is left. @param {Segment[]} segments */
  draw(segments) {
    const there = new Set(segments);
    for (const [segment, ranges] of this.drawn) {
      if (there.has(segment) && this.#isThere(segment)) continue;
      ranges.doubt.forEach(range => this.kinds.doubt.delete(range));
      ranges.overlap.forEach(range => this.kinds.overlap.delete(range));
      this.drawn.delete(segment);
    }
    for (const segment of segments) {
      if (this.drawn.has(segment)) continue;
      const all = units(segment);
      if (!all.some(word => isDoubtful(word) || isOverlapped(word))) continue;
      const ranges = {doubt: this.#ranges(segment, all, isDoubtful), overlap: this.#ranges(segment, all, isOverlapped)};
      this.drawn.set(segment, ranges);
      ranges.doubt.forEach(range => this.kinds.doubt.add(range));
      ranges.overlap.forEach(range => this.kinds.overlap.add(range));
    }
  }

  /** Take the marks off a line that is being written in: its words are not where they were. @param {Segment} segment */
  lift(segment) {
    const ranges = this.drawn.get(segment);
    ranges?.doubt.forEach(range => this.kinds.doubt.delete(range));
    ranges?.overlap.forEach(range => this.kinds.overlap.delete(range));
    this.drawn.delete(segment);
  }

  /** Mark places, and nothing else, as `found`, `here` or `now`. @param {string} kind @param {{segment: Segment, from: number, to: number}[]} places */
  only(kind, places) {
    const highlight = this.kinds[kind];
    highlight.clear();
    for (const {segment, from, to} of places) {
      const range = this.range(segment, from, to);
      if (range) highlight.add(range);
    }
  }

  /** @param {Segment} segment @param {number} from @param {number} to */
  range(segment, from, to) {
    const text = this.paper.line(segment)?.firstChild;
    if (!(text instanceof Text) || to > text.length) return null;
    return new StaticRange({startContainer: text, startOffset: from, endContainer: text, endOffset: to});
  }

  /** @param {Segment} segment */
  #isThere(segment) {
    const text = this.paper.line(segment)?.firstChild;
    return this.drawn.get(segment)?.doubt[0]?.startContainer === text || this.drawn.get(segment)?.overlap[0]?.startContainer === text;
  }

  /** Neighbours are one range. @param {Segment} segment @param {import('./document.js').Word[]} all @param {(word: import('./document.js').Word) => boolean} is */
  #ranges(segment, all, is) {
    const found = [], at = offsets(segment);
    for (let n = 0; n < all.length; n++) {
      if (!is(all[n])) continue;
      const first = n;
      if (is === isOverlapped) while (n + 1 < all.length && is(all[n + 1])) n++;
      const range = this.range(segment, at[first * 2], at[n * 2 + 1]);
      if (range) found.push(range);
    }
    return found;
  }
}
