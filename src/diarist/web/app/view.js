// One transcript: read, heard and put right.

import {get, jobPath, Refused} from './api.js';
import {Caret} from './caret.js';
import {selectedUnits, unitUnder} from './chosen.js';
import {controls} from './controls.js';
import {announce, button, el, open} from './dom.js';
import {exporting} from './export.js';
import {findBar} from './find.js';
import {bind, help} from './keys.js';
import {Marks} from './marks.js';
import {Paper} from './paper.js';
import {Player} from './player.js';
import {nextPlace} from './review.js';
import {chooseSpeaker, people} from './speakers.js';
import {Sync} from './sync.js';
import {t} from './texts.js';

/**
 * @param {HTMLElement} root
 * @param {any} told the job
 * @param {Sync} sync its transcript
 * @param {{start: number|null, text: string}} at where to begin, and what was searched for
 * @returns {Promise<() => void>} ends it
 */
export async function view(root, told, sync, at) {
  const player = new Player(`${jobPath(told.id)}/audio`, sync.current.duration);
  const status = el('span', {class: 'saved', role: 'status'});
  const undo = button('↶', () => undone(sync.undo(), 'nothingToUndo'), {'aria-label': t('undo'), title: t('undo')});
  const redo = button('↷', () => undone(sync.redo(), 'nothingToRedo'), {'aria-label': t('redo'), title: t('redo')});
  const text = el('div', {class: 'paper', role: 'group', 'aria-label': t('transcript')});
  const side = el('aside', {class: 'side', 'aria-label': t('people'), id: 'people'});
  const aside = button(t('people'), () => {
    side.classList.toggle('open');
    aside.setAttribute('aria-expanded', String(side.classList.contains('open')));
  }, {class: 'narrow', 'aria-expanded': 'false', 'aria-controls': 'people'});
  const bar = el('header', {class: 'bar'},
    el('a', {href: '#/', class: 'button quiet', 'aria-label': t('back')}, '←'),
    el('h1', {dir: 'auto'}, told.name || t('recording')), status,
    el('div', {class: 'buttons'}, undo, redo, button(t('find'), () => showFind()), aside,
      button(t('export'), () => exporting({job: told.id, sync, told})), button('?', help, {'aria-label': t('keys'), title: t('keys')})));
  const place = el('div', {class: 'finding'});
  const paper = new Paper(text), marks = new Marks(paper), caret = new Caret(paper, sync, marks);
  const me = {job: told.id, sync, player, told, paper, go};
  const panel = people(me, side);
  const desk = controls(me);
  const warnings = sync.current.warnings.length ? el('details', {class: 'warnings'}, el('summary', {}, t('warnings', {n: sync.current.warnings.length})),
    el('ul', {}, ...sync.current.warnings.map(one => el('li', {}, one)))) : null;
  root.append(el('div', {class: 'view'}, bar, place, el('div', {class: 'columns'}, el('div', {class: 'reading'}, warnings, text), side), desk.root));
  document.title = told.name || t('recording');
  const finding = findBar({sync, show(found, here) {
    const spot = (/** @type {{segment: number, from: number, to: number}} */ one) => ({...one, segment: sync.script.segments[one.segment]});
    marks.only('found', found.map(spot));
    marks.only('here', here < 0 ? [] : [spot(found[here])]);
    if (here >= 0) reveal(found[here].segment);
  }});
  let lit = -1, follows = true, current = 0, foundAt = -1;

  function draw() {
    paper.draw(sync.current);
    marks.draw(sync.current.segments);
    desk.draw();
    panel.draw();
    finding.again();
    lit = -1;
    light();
    stop(Math.min(current, sync.script.segments.length - 1));
    undo.disabled = !sync.canUndo;
  }

  // Reading

  function light() {
    const unit = sync.script.unitAtTime(player.time);
    desk.time();
    if (unit === lit) return;
    lit = unit;
    if (unit < 0) return marks.only('now', []);
    const {segment, from, to} = sync.script.place(unit);
    marks.only('now', [{segment: sync.script.segments[segment], from, to}]);
    if (follows && player.playing && !caret.line) reveal(segment);
  }

  /** @param {number} number a segment's */
  function reveal(number) {
    const line = sync.script.segments[number] && paper.line(sync.script.segments[number]);
    if (!line) return;
    const box = line.getBoundingClientRect(), top = bar.getBoundingClientRect().bottom + 8, bottom = desk.root.getBoundingClientRect().top - 8;
    if (box.top >= top && box.bottom <= bottom) return;
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    line.scrollIntoView({block: 'center', behavior: calm || Math.abs(box.top) > 3000 ? 'instant' : 'smooth'});
  }

  /** The line that Tab comes to. @param {number} number */
  function stop(number) {
    text.querySelector('p[tabindex="0"]')?.setAttribute('tabindex', '-1');
    current = Math.max(0, number);
    const segment = sync.script.segments[current];
    if (segment) paper.line(segment).tabIndex = 0;
  }

  /** @param {number} number */
  function go(number) {
    const bounded = Math.min(Math.max(0, number), sync.script.segments.length - 1);
    if (bounded < 0) return;
    stop(bounded);
    reveal(bounded);
    paper.line(sync.script.segments[bounded]).focus({preventScroll: true});
  }

  /** The line that keys are about. */
  function here() {
    const found = paper.lineOf(document.activeElement);
    if (found) return sync.script.numberOf(found.segment);
    return lit >= 0 ? sync.script.segmentOf(lit) : current;
  }

  /** The words that an edit is about: those selected, else the line. */
  function range() {
    const {script} = sync, chosen = selectedUnits(paper, script);
    if (chosen) return chosen;
    const number = here();
    return {first: script.first[number], stop: script.first[number + 1]};
  }

  /** @param {'doubt'|'overlap'} kind @param {1|-1} way */
  function look(kind, way) {
    const chosen = selectedUnits(paper, sync.script);
    const from = chosen ? (way > 0 ? chosen.stop - 1 : chosen.first) : foundAt >= 0 ? foundAt : sync.script.first[here()] - 1;
    const next = nextPlace(sync.script, kind, from, way);
    if (!next) return announce(t(kind === 'doubt' ? 'noDoubt' : 'noOverlap'));
    foundAt = next.first;
    const first = sync.script.place(next.first), last = sync.script.place(next.stop - 1);
    go(first.segment);
    const line = paper.line(sync.script.segments[first.segment]).firstChild;
    if (line) getSelection()?.setBaseAndExtent(line, first.from, line, last.segment === first.segment ? last.to : first.to);
    const word = sync.script.unit(next.first);
    announce(t(kind === 'doubt' ? 'doubtAt' : 'overlapAt', {word: word?.text ?? '', n: next.number, count: next.count}));
    if (word && !player.missing) player.sample({start: Math.max(0, word.start - 0.7), end: word.end + 0.7});
  }

  /** @param {1|-1} way */
  function extend(way) {
    const selection = /** @type {Selection} */ (getSelection()), {segments} = sync.script;
    const anchor = selection.isCollapsed ? here() : sync.script.numberOf(paper.lineOf(selection.anchorNode)?.segment ?? segments[current]);
    const focus = Math.min(Math.max(0, selection.isCollapsed ? anchor : here() + way), segments.length - 1);
    const [a, b] = [paper.line(segments[anchor]), paper.line(segments[focus])];
    stop(focus);
    reveal(focus);
    b.focus({preventScroll: true});
    selection.setBaseAndExtent(a, anchor <= focus ? 0 : a.childNodes.length, b, anchor <= focus ? b.childNodes.length : 0);
  }

  // Putting right

  /** @param {number} number of a speaker, from 0 */
  function give(number) {
    const speaker = sync.current.speakers[number];
    if (speaker === undefined) return;
    const given = range(), writing = caret.segment;
    caret.leave();
    sync.do([{op: 'assign', ...given, speaker}]);
    announce(t('given', {n: given.stop - given.first, name: speaker}));
    const segment = sync.script.segmentOf(given.first);
    if (writing < 0) go(segment);
  }

  function write() {
    const chosen = selectedUnits(paper, sync.script), number = here();
    if (!chosen || sync.script.segmentOf(chosen.first) !== number) return caret.enter(number, lit >= 0 && sync.script.segmentOf(lit) === number ? sync.script.place(lit).from : 0);
    const last = sync.script.place(Math.min(chosen.stop, sync.script.first[number + 1]) - 1);
    caret.enter(number, sync.script.place(chosen.first).from, last.to);
  }

  /** @param {boolean} could @param {string} otherwise */
  function undone(could, otherwise) {
    if (!could) announce(t(otherwise));
  }

  /** @param {() => boolean} step @param {string} otherwise */
  function history(step, otherwise) {
    const line = caret.line;
    // What is being written is undone by the browser, letter by letter.
    if (line && line.textContent !== paper.lineOf(line)?.segment.text) return document.execCommand(step === back ? 'undo' : 'redo');
    caret.leave();
    undone(step(), otherwise);
    return true;
  }

  const back = () => sync.undo();

  function showFind() {
    const selected = getSelection()?.toString().trim() ?? '';
    caret.leave();
    place.replaceChildren(finding.bar);
    const what = /** @type {HTMLInputElement} */ (finding.bar.querySelector('input'));
    if (selected && selected.length < 80) what.value = selected;
    finding.open();
  }

  // What was not sent

  sync.addEventListener('state', () => {
    status.textContent = t(sync.keeps || sync.state === 'saved' ? `sync_${sync.state}` : 'sync_unkept');
    status.dataset.state = sync.state;
    undo.disabled = !sync.canUndo;
  });
  sync.addEventListener('changed', draw);
  sync.addEventListener('refused', event => announce(t('refused', {why: /** @type {CustomEvent} */ (event).detail})));
  sync.addEventListener('foreign', () => announce(t('foreign')));
  sync.addEventListener('conflict', event => {
    const lost = /** @type {CustomEvent} */ (event).detail.flatMap((/** @type {any} */ action) => action.operations ?? []);
    open(t('conflict'), close => [el('p', {}, t('conflictHelp')),
      el('ul', {}, ...lost.map((/** @type {any} */ one) => el('li', {dir: 'auto'}, t(`lost_${one.op}`, {text: one.text ?? one.speaker ?? one.into ?? ''})))),
      el('div', {class: 'buttons'}, button(t('good'), close))], {close: t('close')});
  });

  text.addEventListener('click', /** @param {MouseEvent} event */ event => {
    const target = /** @type {Element} */ (event.target);
    const segment = paper.lineOf(target.closest('section')?.querySelector('.said p') ?? null)?.segment;
    if (target.matches('.name') && segment) return chooseRun(segment);
    if (target.matches('.time') && segment) return void player.play(segment.start);
    if (caret.line?.contains(target) || !getSelection()?.isCollapsed) return;
    const unit = unitUnder(paper, sync.script, event.clientX, event.clientY);
    if (unit < 0) return;
    go(sync.script.segmentOf(unit));
    foundAt = unit;
    player.play(sync.script.unit(unit)?.start);
  });
  text.addEventListener('dblclick', /** @param {MouseEvent} event */ event => {
    if (caret.line?.contains(/** @type {Node} */ (event.target))) return;
    const unit = unitUnder(paper, sync.script, event.clientX, event.clientY);
    if (unit < 0) return;
    const {segment, from, to} = sync.script.place(unit);
    stop(segment);
    caret.enter(segment, from, to);
  });
  text.addEventListener('focusin', /** @param {FocusEvent} event */ event => {
    const found = paper.lineOf(/** @type {Node} */ (event.target));
    if (found) stop(sync.script.numberOf(found.segment));
  });

  /** Everything that one says without another in between. @param {import('./document.js').Segment} segment */
  function chooseRun(segment) {
    const {script} = sync, first = script.numberOf(segment);
    let last = first;
    while (script.segments[last + 1]?.speaker === segment.speaker) last++;
    chooseSpeaker(me, {first: script.first[first], stop: script.first[last + 1]});
  }

  player.addEventListener('time', light);
  const unbind = bind({
    'Space': () => player.toggle(), 'Mod+Space': () => player.toggle(), 'Escape': () => getSelection()?.removeAllRanges(),
    'ArrowLeft': () => player.seek(player.time - 5), 'ArrowRight': () => player.seek(player.time + 5),
    'Alt+ArrowLeft': () => player.seek(player.time - 5), 'Alt+ArrowRight': () => player.seek(player.time + 5),
    'ArrowUp': () => go(here() - 1), 'ArrowDown': () => go(here() + 1),
    'Shift+ArrowUp': () => extend(-1), 'Shift+ArrowDown': () => extend(1),
    'Home': () => go(0), 'End': () => go(sync.script.segments.length - 1),
    'Enter': write, 'F2': write,
    'p': () => desk.pauses(), 'l': () => desk.loop(range()), '<': () => desk.faster(-0.1), '>': () => desk.faster(0.1), ',': () => desk.faster(-0.1), '.': () => desk.faster(0.1),
    'z': () => desk.zoom(2), 'x': () => desk.zoom(0.5),
    'd': event => look('doubt', event.shiftKey ? -1 : 1), 'o': event => look('overlap', event.shiftKey ? -1 : 1),
    'f': () => { follows = !follows; announce(t(follows ? 'following' : 'notFollowing')); },
    's': () => chooseSpeaker(me, range()), 'm': () => caret.join(here()),
    'Mod+z': () => history(back, 'nothingToUndo'), 'Mod+Shift+z': () => history(() => sync.redo(), 'nothingToRedo'), 'Mod+y': () => history(() => sync.redo(), 'nothingToRedo'),
    'Mod+f': showFind, 'Mod+s': () => exporting({job: told.id, sync, told}), '?': help, 'F1': help,
    ...Object.fromEntries(Array.from({length: 9}, (_, n) => [[String(n + 1), () => give(n)], [`Alt+${n + 1}`, () => give(n)]]).flat()),
  });

  draw();
  await sync.begin();
  if (at.start !== null) {
    player.seek(at.start);
    const unit = sync.script.unitAtTime(at.start + 0.001);
    if (unit >= 0) go(sync.script.segmentOf(unit));
  }
  if (at.text) {
    showFind();
    const what = /** @type {HTMLInputElement} */ (finding.bar.querySelector('input'));
    what.value = at.text;
    finding.open();
  }
  get(`${jobPath(told.id)}/peaks`).then(peaks => desk.peaks(peaks), error => {
    if (!(error instanceof Refused)) throw error;
  });
  return () => {
    caret.close();
    unbind();
    player.close();
    marks.close();
    desk.close();
    sync.close();
  };
}

