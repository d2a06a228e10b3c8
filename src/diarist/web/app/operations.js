// What a correction changes, drawn at once; the server does it again, exactly, and its word counts.

import {offsets, Script, units} from './document.js';

/**
 * @typedef {import('./document.js').Transcript} Transcript
 * @typedef {import('./document.js').Segment} Segment
 * @typedef {{op: 'rename', names: Record<string, string>} | {op: 'merge', speakers: string[], into: string}
 *   | {op: 'split', word: number} | {op: 'join', first: number, stop: number}
 *   | {op: 'assign', first: number, stop: number, speaker: string|null}
 *   | {op: 'replace', first: number, stop: number, text: string}} Operation
 */

/** @param {Transcript} transcript @param {Operation[]} operations @returns {Transcript} */
export function applyAll(transcript, operations) {
  return operations.reduce(apply, transcript);
}

/** @param {Transcript} transcript @param {Operation} operation @returns {Transcript} */
export function apply(transcript, operation) {
  switch (operation.op) {
    case 'rename': return relabelled(transcript, label => operation.names[label] ?? label);
    case 'merge': return relabelled(transcript, label => operation.speakers.includes(label) ? operation.into : label);
    case 'split': return spliced(transcript, operation.word, operation.word + 1, (segment, from) =>
      from > 0 ? [part(segment, 0, from), part(segment, from, units(segment).length)] : [segment]);
    case 'join': return joined(transcript, operation.first, operation.stop);
    case 'assign': return assigned(transcript, operation);
    case 'replace': return reworded(transcript, operation);
  }
}

/** @param {Transcript} transcript @param {(label: string) => string} name @returns {Transcript} */
function relabelled(transcript, name) {
  /** @template {{speaker: string|null}} T @param {T} item @returns {T} */
  const named = item => item.speaker === null || name(item.speaker) === item.speaker ? item : {...item, speaker: name(item.speaker)};
  return {
    ...transcript,
    speakers: [...new Set(transcript.speakers.map(name))],
    segments: transcript.segments.map(segment => {
      const words = segment.words.map(named), now = named(segment);
      return now === segment && words.every((word, n) => word === segment.words[n]) ? segment : {...now, words};
    }),
    turns: transcript.turns.map(named),
  };
}

/**
 * Change the segments that hold a range of words.
 * @param {Transcript} transcript
 * @param {number} first
 * @param {number} stop
 * @param {(segment: Segment, from: number, to: number) => Segment[]} change given words of each segment, as local places
 * @returns {Transcript}
 */
function spliced(transcript, first, stop, change) {
  const script = new Script(transcript);
  const low = script.segmentOf(first), high = script.segmentOf(Math.max(first, stop - 1));
  const changed = transcript.segments.slice(low, high + 1).flatMap((segment, n) => {
    const before = script.first[low + n];
    return change(segment, Math.max(0, first - before), Math.min(units(segment).length, stop - before));
  });
  const segments = [...transcript.segments.slice(0, low), ...changed, ...transcript.segments.slice(high + 1)];
  return {...transcript, segments};
}

/** Some words of a segment, as a segment. @param {Segment} segment @param {number} from @param {number} to @returns {Segment} */
function part(segment, from, to) {
  const all = units(segment), at = offsets(segment), words = segment.words.slice(from, to);
  return {
    ...segment,
    start: from === 0 ? segment.start : all[from].start,
    end: to === all.length ? segment.end : Math.max(...all.slice(from, to).map(word => word.end)),
    text: segment.text.slice(at[from * 2], at[to * 2 - 1]),
    words,
  };
}

/** @param {Transcript} transcript @param {number} first @param {number} stop @returns {Transcript} */
function joined(transcript, first, stop) {
  const parts = transcript.segments.slice(first, stop);
  const unspaced = /[぀-ヿ一-鿿฀-๿]$/u.test(parts[0].text);
  const one = {
    ...parts[0],
    end: Math.max(...parts.map(each => each.end)),
    text: parts.map(each => each.text).join(unspaced ? '' : ' '),
    words: parts.flatMap(each => each.words),
  };
  return {...transcript, segments: [...transcript.segments.slice(0, first), one, ...transcript.segments.slice(stop)]};
}

/** @param {Transcript} transcript @param {{first: number, stop: number, speaker: string|null}} edit @returns {Transcript} */
function assigned(transcript, {first, stop, speaker}) {
  const found = spliced(transcript, first, stop, (segment, from, to) => {
    const given = part(segment, from, to);
    given.speaker = speaker;
    given.words = given.words.map(word => ({...word, speaker, speaker_confidence: null}));
    const end = units(segment).length;
    return [from > 0 && part(segment, 0, from), given, to < end && part(segment, to, end)].filter(each => each !== false);
  });
  const heard = new Set([...found.segments, ...found.turns].map(item => item.speaker));
  const speakers = found.speakers.filter(label => heard.has(label));
  return {...found, speakers: speaker === null || speakers.includes(speaker) ? speakers : [...speakers, speaker]};
}

/** @param {Transcript} transcript @param {{first: number, stop: number, text: string}} edit @returns {Transcript} */
function reworded(transcript, {first, stop, text}) {
  let isFirst = true;
  return spliced(transcript, first, stop, (segment, from, to) => {
    const at = offsets(segment), all = units(segment);
    const [head, tail] = [segment.text.slice(0, at[from * 2]), segment.text.slice(at[to * 2 - 1] ?? segment.text.length)];
    const said = isFirst ? text : '';
    isFirst = false;
    const whole = (said ? head + said + tail : head.trimEnd() + (head.trim() ? tail : tail.trimStart())).trim();
    if (!whole) return [];
    if (!segment.words.length) return [{...segment, text: whole}];
    const words = [...segment.words.slice(0, from), ...shared(segment.words.slice(from, to), said), ...segment.words.slice(to)];
    return words.length ? [{...segment, text: whole, words, start: Math.min(segment.start, all[0].start)}] : [];
  });
}

/** New words in the time of old ones. @param {import('./document.js').Word[]} old @param {string} text */
function shared(old, text) {
  const chunks = text.split(/\s+/u).filter(Boolean);
  if (!old.length) return [];
  let head = 0, tail = 0;
  const shorter = Math.min(old.length, chunks.length);
  while (head < shorter && old[head].text === chunks[head]) head++;
  while (tail < shorter - head && old[old.length - 1 - tail].text === chunks[chunks.length - 1 - tail]) tail++;
  const middle = old.slice(head, old.length - tail), fresh = chunks.slice(head, chunks.length - tail);
  const start = middle[0]?.start ?? old[head - 1]?.end ?? old[head].start;
  const end = middle.at(-1)?.end ?? old[head]?.start ?? start;
  const letters = fresh.join('').length || 1;
  let at = start;
  const made = fresh.map((chunk, n) => {
    const same = middle.length === fresh.length ? middle[n] : null;
    const until = at + (Math.max(start, end) - start) * chunk.length / letters;
    const word = {...(same ?? old[Math.min(head, old.length - 1)]), text: chunk, confidence: null, spaced: n + head ? true : old[0].spaced};
    if (!same) Object.assign(word, {start: at, end: until, speaker_confidence: null});
    at = until;
    return word;
  });
  return [...old.slice(0, head), ...made, ...old.slice(old.length - tail)];
}

/**
 * The operation that makes a segment's text another one; null where they are the same.
 * @param {Script} script
 * @param {number} number the segment's
 * @param {string} written
 * @returns {Operation|null}
 */
export function rewritten(script, number, written) {
  const segment = script.segments[number], before = script.first[number];
  const text = written.replace(/\s+/gu, ' ').trim(), old = segment.text;
  if (text === old) return null;
  const at = offsets(segment), count = at.length / 2;
  if (!text || !segment.words.length) return {op: 'replace', first: before, stop: before + count, text};
  let head = 0, tail = 0;
  const shorter = Math.min(text.length, old.length);
  while (head < shorter && text[head] === old[head]) head++;
  while (tail < shorter - head && text[text.length - 1 - tail] === old[old.length - 1 - tail]) tail++;
  // Words that the change touches: letters may have been added at their ends.
  let low = 0, high = count - 1;
  while (low < count - 1 && at[low * 2 + 1] < head) low++;
  while (high > low && at[high * 2] > old.length - tail) high--;
  const [from, to] = [at[low * 2], at[high * 2 + 1]];
  // Whole again where an edge of the change lies inside what stays.
  const cut = Math.min(from, head), rest = Math.min(old.length - to, tail);
  const first = cut < from ? 0 : low, stop = rest < old.length - to ? count : high + 1;
  const said = text.slice(at[first * 2], text.length - (old.length - at[stop * 2 - 1]));
  return {op: 'replace', first: before + first, stop: before + stop, text: said.trim()};
}
