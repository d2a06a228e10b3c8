// A transcript as it came, and an index over it: which word is where, in the text and in time. Transcripts never change.

/**
 * @typedef {{start: number, end: number, text: string, confidence: number|null, speaker: string|null,
 *   speaker_confidence: number|null, overlap: boolean, spaced: boolean|null}} Word
 * @typedef {{start: number, end: number, speaker: string|null, text: string, words: Word[]}} Segment
 * @typedef {{start: number, end: number, speaker: string, confidence: number|null}} Turn
 * @typedef {{duration: number, language: string|null, speakers: string[], segments: Segment[], turns: Turn[],
 *   warnings: string[]}} Transcript
 */

/** What counts as a word: the words, or a whole line whose words have no times. @param {Segment} segment */
export function units(segment) {
  return segment.words.length || !segment.text ? segment.words : [/** @type {any} */ (segment)];
}

/** @type {WeakMap<Segment, Uint32Array>} */
const known = new WeakMap();

/**
 * Where each word stands in its segment's text: from, to, from, to …
 * @param {Segment} segment
 */
export function offsets(segment) {
  let found = known.get(segment);
  if (found) return found;
  const all = units(segment);
  found = new Uint32Array(all.length * 2);
  let at = 0;
  all.forEach((word, number) => {
    const from = Math.max(at, segment.text.indexOf(word.text, at));
    at = from + word.text.length;
    /** @type {Uint32Array} */ (found).set([from, at], number * 2);
  });
  known.set(segment, found);
  return found;
}

/** An index over one transcript. */
export class Script {
  /** @param {Transcript} transcript */
  constructor(transcript) {
    this.transcript = transcript;
    this.segments = transcript.segments;
    /** The number of the first word of each segment, and the number of all words. */
    this.first = new Uint32Array(this.segments.length + 1);
    this.segments.forEach((segment, number) => {
      this.first[number + 1] = this.first[number] + units(segment).length;
    });
  }

  get numUnits() {
    return this.first[this.segments.length];
  }

  /** The segment that holds a word. @param {number} unit */
  segmentOf(unit) {
    let low = 0, high = this.segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.first[middle + 1] <= unit) low = middle + 1; else high = middle;
    }
    return low;
  }

  /** A word. @param {number} unit @returns {Word|undefined} */
  unit(unit) {
    const number = this.segmentOf(unit);
    return number < this.segments.length ? units(this.segments[number])[unit - this.first[number]] : undefined;
  }

  /** Where a word stands. @param {number} unit */
  place(unit) {
    const segment = this.segmentOf(unit);
    const at = (unit - this.first[segment]) * 2, found = offsets(this.segments[segment]);
    return {segment, from: found[at], to: found[at + 1]};
  }

  /**
   * The word at a place of a segment's text: the one that it is in, else the one before it.
   * @param {number} segment
   * @param {number} offset
   */
  unitAt(segment, offset) {
    const found = offsets(this.segments[segment]);
    let low = 0, high = found.length / 2;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (found[middle * 2] <= offset) low = middle + 1; else high = middle;
    }
    return this.first[segment] + Math.max(0, low - 1);
  }

  /** The number of a segment. @param {Segment} segment */
  numberOf(segment) {
    let low = 0, high = this.segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.segments[middle].start < segment.start) low = middle + 1; else high = middle;
    }
    while (low < this.segments.length && this.segments[low] !== segment) low++;
    return low < this.segments.length ? low : this.segments.indexOf(segment);
  }

  /** The word that is said at a time; -1 where none is. @param {number} time */
  unitAtTime(time) {
    let low = 0, high = this.segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.segments[middle].start <= time) low = middle + 1; else high = middle;
    }
    for (let number = low - 1; number >= Math.max(0, low - 6); number--) {
      const all = units(this.segments[number]);
      let a = 0, b = all.length;
      while (a < b) {
        const middle = (a + b) >> 1;
        if (all[middle].start <= time) a = middle + 1; else b = middle;
      }
      if (!a) continue;
      // A word stays lit until the next begins, unless there is a pause.
      const next = all[a]?.start ?? Infinity;
      const end = next - all[a - 1].end < 1 ? Math.max(next, all[a - 1].end) : all[a - 1].end;
      if (time < end) return this.first[number] + a - 1;
    }
    return -1;
  }
}

/**
 * A newer transcript that shares with an older one the segments that are equal, so that they need not be drawn again.
 * @param {Transcript} old
 * @param {Transcript} fresh
 * @returns {Transcript}
 */
export function reuse(old, fresh) {
  const [was, now] = [old.segments, fresh.segments];
  const shorter = Math.min(was.length, now.length);
  const segments = now.slice();
  let head = 0, tail = 0;
  while (head < shorter && same(was[head], now[head])) segments[head] = was[head++];
  while (tail < shorter - head && same(was[was.length - 1 - tail], now[now.length - 1 - tail])) {
    tail++;
    segments[now.length - tail] = was[was.length - tail];
  }
  return {...fresh, segments};
}

/** @param {Segment} a @param {Segment} b */
function same(a, b) {
  return a === b || (a.start === b.start && a.end === b.end && a.speaker === b.speaker && a.text === b.text
    && a.words.length === b.words.length && a.words.every((word, n) => {
      const other = b.words[n];
      return word.start === other.start && word.end === other.end && word.text === other.text
        && word.confidence === other.confidence && word.overlap === other.overlap && word.speaker === other.speaker;
    }));
}
