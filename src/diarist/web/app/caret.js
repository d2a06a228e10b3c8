// Writing in a line: the browser edits the text, and what was written becomes an edit when the line is left.

import {t} from './texts.js';
import {clock} from './times.js';
import {rewritten} from './operations.js';

/**
 * @typedef {import('./paper.js').Paper} Paper
 * @typedef {import('./sync.js').Sync} Sync
 * @typedef {import('./marks.js').Marks} Marks
 */

export class Caret {
  /** @param {Paper} paper @param {Sync} sync @param {Marks} marks */
  constructor(paper, sync, marks) {
    this.paper = paper;
    this.sync = sync;
    this.marks = marks;
    /** @type {HTMLElement|null} */
    this.line = null;
    paper.root.addEventListener('input', () => this.#written());
    paper.root.addEventListener('focusout', event => {
      if (event.target === this.line) this.leave();
    });
    paper.root.addEventListener('keydown', event => this.#key(event));
    this.keep = () => this.#keep();
    addEventListener('pagehide', this.keep);
    document.addEventListener('visibilitychange', this.keep);
  }

  close() {
    this.leave();
    removeEventListener('pagehide', this.keep);
    document.removeEventListener('visibilitychange', this.keep);
  }

  /** The number of the segment that is being written in; -1 for none. */
  get segment() {
    const found = this.line && this.paper.lineOf(this.line);
    return found ? this.sync.script.numberOf(found.segment) : -1;
  }

  /** Where the caret, or what is selected in the line, begins and ends. */
  get selected() {
    const selection = getSelection();
    if (!this.line || !selection?.rangeCount || !this.line.contains(selection.anchorNode)) return null;
    const range = selection.getRangeAt(0);
    return {from: offset(this.line, range.startContainer, range.startOffset), to: offset(this.line, range.endContainer, range.endOffset)};
  }

  /** Write in a segment's line. @param {number} number @param {number} from @param {number} [to] */
  enter(number, from, to = from) {
    const segment = this.sync.script.segments[number];
    const line = segment && this.paper.line(segment);
    if (!line) return;
    if (line !== this.line) {
      this.leave();
      this.line = line;
      this.paper.held = line;
      line.contentEditable = 'plaintext-only';
      line.spellcheck = true;
      line.setAttribute('role', 'textbox');
      line.setAttribute('aria-label', t('editing', {name: segment.speaker ?? t('nobody'), time: clock(segment.start)}));
      line.focus();
    }
    const text = line.firstChild;
    if (text instanceof Text) getSelection()?.setBaseAndExtent(text, Math.min(from, text.length), text, Math.min(to, text.length));
  }

  /** Stop writing, and make an edit of what was written. */
  leave() {
    const {line} = this;
    if (!line) return;
    const operation = this.#operation();
    clearTimeout(this.timer);
    const found = this.paper.lineOf(line);
    this.line = null;
    this.paper.held = null;
    line.removeAttribute('contenteditable');
    line.removeAttribute('role');
    line.removeAttribute('aria-label');
    this.sync.write(null);
    if (operation) this.sync.do([operation]);
    // What the browser left of the text, e.g. in two nodes, is drawn as it is.
    else if (found && (line.textContent !== found.segment.text || line.childNodes.length !== 1)) line.textContent = found.segment.text;
  }

  /** Make an edit of what was written so far, and go on writing. */
  #settle() {
    const {line, selected} = this, number = this.segment;
    this.leave();
    if (line?.isConnected && selected) this.enter(number, selected.from, selected.to);
    return number;
  }

  #operation() {
    const number = this.segment;
    return number < 0 ? null : rewritten(this.sync.script, number, this.line?.textContent ?? '');
  }

  #written() {
    const found = this.paper.lineOf(this.line);
    if (!found) return;
    this.marks.lift(found.segment);
    clearTimeout(this.timer);
    this.timer = setTimeout(this.keep, 150);
  }

  #keep() {
    const found = this.line && this.paper.lineOf(this.line);
    if (!found) return;
    const text = this.line?.textContent ?? '';
    this.sync.write(text === found.segment.text ? null : {start: found.segment.start, was: found.segment.text, text});
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (!this.line || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const {selected} = this, length = this.line.textContent?.length ?? 0;
    const still = selected && selected.from === selected.to && !event.shiftKey;
    const number = this.segment, count = this.sync.script.segments.length;
    if (event.key === 'Enter') {
      event.preventDefault();
      event.stopPropagation();
      if (event.shiftKey || !selected) return;
      this.#split(selected.from);
    } else if (event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      const {line} = this;
      this.leave();
      if (line.isConnected) line.focus({preventScroll: true});
    } else if (event.key === 'Backspace' && still && selected.from === 0) {
      event.preventDefault();
      this.join(number - 1);
    } else if (event.key === 'Delete' && still && selected.to === length) {
      event.preventDefault();
      this.join(number);
    } else if ((event.key === 'ArrowUp' || event.key === 'ArrowLeft') && still && number > 0 && this.#atEdge(event.key)) {
      event.preventDefault();
      this.#go(number - 1, event.key === 'ArrowLeft' ? Infinity : selected.from);
    } else if ((event.key === 'ArrowDown' || event.key === 'ArrowRight') && still && number < count - 1 && this.#atEdge(event.key)) {
      event.preventDefault();
      this.#go(number + 1, event.key === 'ArrowRight' ? 0 : selected.from);
    }
  }

  /** Leave this line for another; its number may change when this one goes. @param {number} number @param {number} at */
  #go(number, at) {
    const target = this.sync.script.segments[number];
    this.leave();
    const found = this.sync.script.numberOf(target);
    if (found >= 0) this.enter(found, at === Infinity ? target.text.length : at);
  }

  /** Whether the caret leaves the line with a key. @param {string} key */
  #atEdge(key) {
    const line = /** @type {HTMLElement} */ (this.line), selected = /** @type {{from: number, to: number}} */ (this.selected);
    if (key === 'ArrowLeft') return selected.from === 0;
    if (key === 'ArrowRight') return selected.to === line.textContent?.length;
    const caret = getSelection()?.getRangeAt(0).getClientRects()[0], box = line.getBoundingClientRect();
    if (!caret) return true;
    return key === 'ArrowUp' ? caret.top - box.top < caret.height : box.bottom - caret.bottom < caret.height;
  }

  /** Cut the line where the caret is. @param {number} at */
  #split(at) {
    const number = this.#settle();
    const {script} = this.sync, segment = script.segments[number];
    if (!segment || segment.words.length < 2) return;
    const unit = at >= segment.text.length ? script.first[number + 1] : script.unitAt(number, at);
    const place = unit < script.first[number + 1] ? script.place(unit) : null;
    const word = place && at > (place.from + place.to) / 2 ? unit + 1 : unit;
    if (word <= script.first[number] || word >= script.first[number + 1]) return;
    this.leave();
    this.sync.do([{op: 'split', word}]);
    this.enter(number + 1, 0);
  }

  /** Make a segment and the one behind it one; where two speak, the first one gets the words. @param {number} number */
  join(number) {
    const {line} = this;
    if (line) this.leave();
    const {segments, first} = this.sync.script;
    const [a, b] = [segments[number], segments[number + 1]];
    if (!a || !b || !a.words.length || !b.words.length) return;
    const length = a.text.length;
    /** @type {import('./operations.js').Operation[]} */
    const operations = [];
    if (a.speaker !== b.speaker) operations.push({op: 'assign', first: first[number + 1], stop: first[number + 2], speaker: a.speaker});
    operations.push({op: 'join', first: number, stop: number + 2});
    this.sync.do(operations);
    if (line) this.enter(number, length);
  }
}

/** A place in a line as a number of characters. @param {HTMLElement} line @param {Node} node @param {number} at */
export function offset(line, node, at) {
  if (node instanceof Text && line.firstChild === node) return at;
  const range = document.createRange();
  range.setStart(line, 0);
  range.setEnd(node, at);
  return range.toString().length;
}
