// What is chosen in the text: a selection over any number of lines, as words.

import {offset} from './caret.js';

/**
 * @typedef {import('./paper.js').Paper} Paper
 * @typedef {import('./document.js').Script} Script
 */

/**
 * The words that are selected; null for none.
 * @param {Paper} paper
 * @param {Script} script
 * @returns {{first: number, stop: number}|null}
 */
export function selectedUnits(paper, script) {
  const selection = getSelection();
  if (!selection?.rangeCount || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0);
  if (!paper.root.contains(range.commonAncestorContainer)) return null;
  const from = edge(paper, script, range.startContainer, range.startOffset, true);
  const to = edge(paper, script, range.endContainer, range.endOffset, false);
  return from === null || to === null || to < from ? null : {first: from, stop: to + 1};
}

/** @param {Paper} paper @param {Script} script @param {Node} node @param {number} at @param {boolean} isStart */
function edge(paper, script, node, at, isStart) {
  const found = paper.lineOf(node);
  if (found) {
    const number = script.numberOf(found.segment), place = offset(found.line, node, at);
    if (number < 0) return null;
    if (!isStart) return place === 0 ? script.first[number] - 1 : script.unitAt(number, place - 1);
    const unit = script.unitAt(number, place);
    return place >= script.place(unit).to && unit + 1 < script.first[number + 1] ? unit + 1 : unit;
  }
  // Between lines: the next one behind the start, the last one before the end.
  const lines = Array.from(paper.root.querySelectorAll('.said p'));
  const range = document.createRange();
  range.setStart(node, at);
  range.collapse(true);
  const behind = lines.findIndex(line => range.comparePoint(line, 0) >= 0);
  const line = isStart ? lines[behind] : lines[behind < 0 ? lines.length - 1 : behind - 1];
  const segment = line && paper.lineOf(line)?.segment;
  if (!segment) return null;
  const number = script.numberOf(segment);
  return isStart ? script.first[number] : script.first[number + 1] - 1;
}

/** The word under a point; -1 for none. @param {Paper} paper @param {Script} script @param {number} x @param {number} y */
export function unitUnder(paper, script, x, y) {
  const position = /** @type {any} */ (document).caretPositionFromPoint?.(x, y);
  const range = position ? null : document.caretRangeFromPoint?.(x, y);
  const [node, at] = position ? [position.offsetNode, position.offset] : [range?.startContainer, range?.startOffset ?? 0];
  const found = node && paper.lineOf(node);
  if (!found || !(node instanceof Text)) return -1;
  const number = script.numberOf(found.segment);
  return number < 0 || script.first[number + 1] === script.first[number] ? -1 : script.unitAt(number, at);
}
