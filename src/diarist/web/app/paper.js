// The text of a transcript: one text node a segment, in runs of one speaker. After an edit only what differs is drawn.

import {el} from './dom.js';
import {t} from './texts.js';
import {clock} from './times.js';

/**
 * @typedef {import('./document.js').Transcript} Transcript
 * @typedef {import('./document.js').Segment} Segment
 */

export const COLOURS = 8;

export class Paper {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    /** @type {WeakMap<Element, Segment>} */
    this.segments = new WeakMap();
    /** @type {WeakMap<Segment, HTMLElement>} */
    this.lines = new WeakMap();
    /** @type {Segment[][]} */
    this.runs = [];
    /** The line that is being written in, which is left as it is. @type {Element|null} */
    this.held = null;
    this.empty = el('section', {class: 'run'},
      el('div', {class: 'who'}, el('button', {type: 'button', class: 'name', tabindex: -1, dir: 'auto'}), el('button', {type: 'button', class: 'time', tabindex: -1})),
      el('div', {class: 'said'}));
  }

  /** @param {Transcript} transcript */
  draw(transcript) {
    const runs = inRuns(transcript.segments), was = this.runs;
    const colours = new Map(transcript.speakers.map((label, n) => [label, n % COLOURS]));
    const recoloured = this.speakers !== undefined && this.speakers.join('\n') !== transcript.speakers.join('\n');
    this.speakers = transcript.speakers;
    this.root.lang = transcript.language ?? '';
    const shorter = Math.min(runs.length, was.length);
    let head = 0, tail = 0;
    while (head < shorter && equal(was[head], runs[head])) head++;
    while (tail < shorter - head && equal(was[was.length - 1 - tail], runs[runs.length - 1 - tail])) tail++;
    const children = this.root.children;
    const [old, fresh] = [was.slice(head, was.length - tail), runs.slice(head, runs.length - tail)];
    if (old.length === fresh.length) {
      fresh.forEach((run, n) => this.#mend(/** @type {HTMLElement} */ (children[head + n]), old[n], run));
    } else {
      const behind = children[was.length - tail] ?? null;
      const gone = Array.from(children).slice(head, was.length - tail);
      const made = document.createDocumentFragment();
      for (const run of fresh) made.append(this.#section(run, colours));
      gone.forEach(section => section.remove());
      this.root.insertBefore(made, behind);
    }
    this.runs = runs;
    if (recoloured || old.length === fresh.length) {
      const from = recoloured ? 0 : head, to = recoloured ? runs.length : runs.length - tail;
      for (let n = from; n < to; n++) this.#paint(/** @type {HTMLElement} */ (children[n]), runs[n], colours);
    }
  }

  /** The line of a segment. @param {Segment} segment @returns {HTMLElement} */
  line(segment) {
    return /** @type {HTMLElement} */ (this.lines.get(segment));
  }

  /** The line that holds a node, and its segment. @param {Node|null} node */
  lineOf(node) {
    const line = (node instanceof Element ? node : node?.parentElement)?.closest('.said p') ?? null;
    const segment = line && this.segments.get(line);
    return segment ? {line: /** @type {HTMLElement} */ (line), segment} : null;
  }

  /** @param {Segment[]} run @param {Map<string, number>} colours */
  #section(run, colours) {
    const section = /** @type {HTMLElement} */ (this.empty.cloneNode(true));
    /** @type {HTMLElement} */ (section.lastElementChild).append(...run.map(segment => this.#line(segment)));
    this.#paint(section, run, colours);
    return section;
  }

  /** @param {HTMLElement} section @param {Segment[]} run @param {Map<string, number>} colours */
  #paint(section, run, colours) {
    const {speaker, start} = run[0];
    const colour = speaker === null ? undefined : colours.get(speaker);
    section.className = colour === undefined ? 'run' : `run s${colour}`;
    const [name, time] = section.querySelectorAll('button');
    const called = speaker ?? t('nobody'), at = clock(start);
    if (name.textContent !== called) {
      name.textContent = called;
      name.setAttribute('aria-label', t('whoSaid', {name: called}));
    }
    if (time.textContent !== at) {
      time.textContent = at;
      time.setAttribute('aria-label', t('playFrom', {time: at}));
    }
  }

  /** @param {Segment} segment */
  #line(segment) {
    const line = document.createElement('p');
    line.dir = 'auto';
    line.tabIndex = -1;
    line.textContent = segment.text;
    this.#bind(line, segment);
    return line;
  }

  /** @param {HTMLElement} line @param {Segment} segment */
  #bind(line, segment) {
    this.segments.set(line, segment);
    this.lines.set(segment, line);
  }

  /** Make one run another, line by line. @param {HTMLElement} section @param {Segment[]} old @param {Segment[]} fresh */
  #mend(section, old, fresh) {
    const said = /** @type {HTMLElement} */ (section.lastElementChild), lines = Array.from(said.children);
    const shorter = Math.min(old.length, fresh.length);
    let head = 0, tail = 0;
    const alike = (/** @type {Segment} */ a, /** @type {Segment} */ b) => a === b || (a.start === b.start && a.text === b.text);
    if (old.length !== fresh.length) {
      while (head < shorter && alike(old[head], fresh[head])) head++;
      while (tail < shorter - head && alike(old[old.length - 1 - tail], fresh[fresh.length - 1 - tail])) tail++;
      const behind = lines[old.length - tail] ?? null;
      lines.slice(head, old.length - tail).forEach(line => line.remove());
      for (const segment of fresh.slice(head, fresh.length - tail)) said.insertBefore(this.#line(segment), behind);
    }
    fresh.forEach((segment, n) => {
      const line = /** @type {HTMLElement} */ (said.children[n]);
      if (this.segments.get(line) === segment) return;
      this.#bind(line, segment);
      if (line.textContent !== segment.text && line !== this.held) line.textContent = segment.text;
    });
  }
}

/** Segments in runs of one speaker, short enough to be drawn at once. @param {Segment[]} segments */
function inRuns(segments) {
  /** @type {Segment[][]} */
  const runs = [];
  for (const segment of segments) {
    const last = runs.at(-1);
    if (last && last[0].speaker === segment.speaker && last.length < 12) last.push(segment); else runs.push([segment]);
  }
  return runs;
}

/** @param {Segment[]} a @param {Segment[]} b */
const equal = (a, b) => a.length === b.length && a.every((segment, n) => segment === b[n]);
