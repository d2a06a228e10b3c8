// The recording: playing from a word, speed, pauses skipped, one speaker alone, a sentence again and again.

/** @typedef {{start: number, end: number}} Span */

const PAUSE = 1.2;

/** Events: `time` (where it is), `state` (playing or not, speed, modes), `missing` (there is no recording). */
export class Player extends EventTarget {
  /** @param {string} source @param {number} duration */
  constructor(source, duration) {
    super();
    this.audio = new Audio();
    this.audio.preload = 'metadata';
    this.audio.preservesPitch = true;
    this.audio.src = source;
    this.duration = duration;
    /** @type {Span|null} */
    this.loop = null;
    /** @type {Span|null} played once, then it stops */
    this.once = null;
    this.skipsPauses = false;
    /** @type {Span[]|null} */
    this.only = null;
    /** @type {Span[]} */
    this.speech = [];
    this.missing = false;
    this.tick = this.tick.bind(this);
    for (const name of ['play', 'pause', 'ratechange']) this.audio.addEventListener(name, () => this.#said());
    this.audio.addEventListener('play', this.tick);
    for (const name of ['seeked', 'timeupdate', 'ended']) this.audio.addEventListener(name, () => this.dispatchEvent(new Event('time')));
    this.audio.addEventListener('error', () => {
      this.missing = true;
      this.dispatchEvent(new Event('missing'));
    });
  }

  close() {
    cancelAnimationFrame(this.frame ?? 0);
    this.audio.pause();
    this.audio.removeAttribute('src');
    this.audio.load();
  }

  get time() {
    return this.audio.currentTime;
  }

  get playing() {
    return !this.audio.paused;
  }

  /** @param {number} time */
  seek(time) {
    this.audio.currentTime = Math.min(Math.max(0, time), this.duration);
    if (this.loop && (time < this.loop.start - 0.01 || time >= this.loop.end)) {
      this.loop = null;
      this.#said();
    }
    this.once = null;
    this.dispatchEvent(new Event('time'));
  }

  /** @param {number} [time] */
  play(time) {
    if (time !== undefined) this.seek(time);
    return this.audio.play().catch(() => {});
  }

  toggle() {
    if (this.playing) this.audio.pause(); else this.play();
  }

  /** Play a stretch, then stop. @param {Span} span */
  async sample(span) {
    this.seek(span.start);
    this.once = span;
    await this.play();
  }

  /** @param {number} speed */
  set speed(speed) {
    this.audio.playbackRate = this.audio.defaultPlaybackRate = Math.min(3, Math.max(0.5, Math.round(speed * 100) / 100));
  }

  get speed() {
    return this.audio.playbackRate;
  }

  /** Play a stretch again and again; null ends it. @param {Span|null} span */
  repeat(span) {
    this.loop = span;
    if (span && (this.time < span.start || this.time >= span.end)) this.audio.currentTime = span.start;
    if (span) this.play();
    this.#said();
  }

  /** Play nothing but some stretches, in order of time; null is all. @param {Span[]|null} spans */
  restrict(spans) {
    this.only = spans;
    this.#said();
  }

  /** @param {boolean} skips @param {Span[]} speech stretches in which somebody talks, in order of time */
  skipPauses(skips, speech) {
    this.skipsPauses = skips;
    this.speech = speech;
    this.#said();
  }

  /** Follow the recording while it plays. */
  tick() {
    if (!this.playing) return;
    this.#jump();
    this.dispatchEvent(new Event('time'));
    this.frame = requestAnimationFrame(this.tick);
  }

  #jump() {
    const {time} = this;
    if (this.once && time >= this.once.end) {
      this.once = null;
      this.audio.pause();
    } else if (this.loop && time >= this.loop.end) {
      this.audio.currentTime = this.loop.start;
    } else if (this.only && !this.once && !this.loop) {
      const target = next(this.only, time, 0.05);
      if (target === null) this.audio.pause(); else if (target > time) this.audio.currentTime = target;
    } else if (this.skipsPauses && !this.once) {
      const target = next(this.speech, time, 0.4);
      if (target !== null && target - time > PAUSE) this.audio.currentTime = target - 0.2;
    }
  }

  #said() {
    this.dispatchEvent(new Event('state'));
  }
}

/**
 * Where to play on: here, where a stretch is under way, else at the next one; null behind the last.
 * @param {Span[]} spans
 * @param {number} time
 * @param {number} slack seconds that a stretch goes on for
 */
export function next(spans, time, slack) {
  let low = 0, high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle].end + slack <= time) low = middle + 1; else high = middle;
  }
  return low < spans.length ? Math.max(time, spans[low].start) : null;
}

/** Stretches that touch, or nearly, made one. @param {Span[]} spans @param {number} gap */
export function joined(spans, gap) {
  /** @type {Span[]} */
  const found = [];
  for (const span of spans.slice().sort((a, b) => a.start - b.start)) {
    const last = found.at(-1);
    if (last && span.start - last.end <= gap) last.end = Math.max(last.end, span.end);
    else found.push({start: span.start, end: span.end});
  }
  return found;
}
