// The recording as a picture, on a canvas: peaks from the server, and under them who talks.

import {COLOURS} from './paper.js';

/** @typedef {import('./document.js').Transcript} Transcript */

export class Waveform {
  /** @param {HTMLCanvasElement} canvas @param {(time: number) => void} seek */
  constructor(canvas, seek) {
    this.canvas = canvas;
    this.seek = seek;
    /** @type {Int8Array} pairs of lowest and highest */
    this.peaks = new Int8Array();
    this.perSecond = 50;
    this.loudest = 128;
    this.duration = 0;
    this.time = 0;
    this.zoom = 1;
    this.start = 0;
    /** @type {Transcript|null} */
    this.transcript = null;
    /** @type {import('./player.js').Span|null} */
    this.loop = null;
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(canvas);
    this.scheme = matchMedia('(prefers-color-scheme: dark)');
    this.again = () => this.draw();
    this.scheme.addEventListener('change', this.again);
    canvas.addEventListener('pointerdown', event => {
      canvas.setPointerCapture(event.pointerId);
      this.#point(event);
    });
    canvas.addEventListener('pointermove', event => event.buttons && this.#point(event));
    canvas.addEventListener('wheel', event => {
      if (!event.ctrlKey && !event.metaKey && Math.abs(event.deltaY) > Math.abs(event.deltaX)) return;
      event.preventDefault();
      if (event.ctrlKey || event.metaKey) this.setZoom(this.zoom * (event.deltaY < 0 ? 1.5 : 1 / 1.5));
      else this.#scroll(this.start + event.deltaX / 500 * this.shown);
    }, {passive: false});
  }

  close() {
    this.observer.disconnect();
    this.scheme.removeEventListener('change', this.again);
  }

  /** Seconds that are shown. */
  get shown() {
    return this.duration / this.zoom;
  }

  /** @param {Transcript} transcript */
  set(transcript) {
    this.transcript = transcript;
    this.duration = transcript.duration;
    this.draw();
  }

  /** @param {number} zoom 1 shows all */
  setZoom(zoom) {
    this.zoom = Math.min(Math.max(1, zoom), Math.max(1, this.duration / 5));
    this.#scroll(this.time - this.shown / 2);
  }

  /** @param {number} time */
  at(time) {
    this.time = time;
    if (this.zoom > 1 && (time < this.start || time > this.start + this.shown * 0.95)) this.start = time - this.shown * 0.1;
    this.start = Math.min(Math.max(0, this.start), Math.max(0, this.duration - this.shown));
    this.draw();
  }

  draw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.#paint();
    });
  }

  /** @param {number} start */
  #scroll(start) {
    this.start = Math.min(Math.max(0, start), Math.max(0, this.duration - this.shown));
    this.draw();
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    this.seek(this.start + (event.clientX - box.left) / box.width * this.shown);
  }

  #paint() {
    const {canvas, duration} = this, box = canvas.getBoundingClientRect();
    const scale = devicePixelRatio || 1, width = Math.round(box.width * scale), height = Math.round(box.height * scale);
    if (!width || !duration) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')), style = getComputedStyle(canvas);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`);
    pen.clearRect(0, 0, width, height);
    const x = (/** @type {number} */ time) => (time - this.start) / this.shown * width;
    const speakers = this.transcript?.speakers ?? [];
    // Each person has a lane of their own, so that colour is not all that tells them apart.
    const lanes = Math.min(Math.max(1, speakers.length), 6), lane = Math.round((lanes > 3 ? 3 : 5) * scale), band = lanes * lane;
    const tall = height - band - 2 * scale;
    if (this.loop) {
      pen.fillStyle = style.getPropertyValue('--loop');
      pen.fillRect(x(this.loop.start), 0, x(this.loop.end) - x(this.loop.start), height);
    }
    this.#wave(pen, width, tall, style.color, scale);
    const colours = speakers.map((_, n) => style.getPropertyValue(`--c${n % COLOURS}`));
    const turns = this.transcript?.turns.length ? this.transcript.turns : this.transcript?.segments ?? [];
    for (const turn of turns) {
      if (turn.end < this.start || turn.start > this.start + this.shown) continue;
      const number = speakers.indexOf(turn.speaker ?? '');
      pen.fillStyle = colours[number] ?? style.color;
      pen.fillRect(x(turn.start), height - band + Math.max(0, number) % lanes * lane, Math.max(scale, x(turn.end) - x(turn.start)), lane - scale / 2);
    }
    pen.fillStyle = colour('ink');
    pen.fillRect(Math.round(x(this.time)) - scale, 0, 2 * scale, height);
  }

  /** @param {CanvasRenderingContext2D} pen @param {number} width @param {number} tall @param {string} colour @param {number} scale */
  #wave(pen, width, tall, colour, scale) {
    const {peaks} = this, step = 2 * scale, middle = tall / 2;
    pen.fillStyle = colour;
    if (!peaks.length) return pen.fillRect(0, middle, width, scale);
    const pairs = peaks.length / 2, first = this.start * this.perSecond, each = this.shown * this.perSecond / width;
    for (let at = 0; at < width; at += step) {
      const from = Math.floor(first + at * each), to = Math.min(pairs, Math.max(from + 1, Math.ceil(first + (at + step) * each)));
      let low = 0, high = 0;
      for (let n = from; n < to; n++) {
        if (peaks[n * 2] < low) low = peaks[n * 2];
        if (peaks[n * 2 + 1] > high) high = peaks[n * 2 + 1];
      }
      pen.fillRect(at, middle - high / this.loudest * middle, step - scale / 2, Math.max(scale, (high - low) / this.loudest * middle));
    }
  }
}

/** Peaks as the server sends them: a lowest and a highest value for each stretch. @param {{min: string, max: string}} sent */
export function readPeaks(sent) {
  const lows = atob(sent.min), highs = atob(sent.max), peaks = new Int8Array(lows.length * 2);
  for (let n = 0; n < lows.length; n++) {
    peaks[n * 2] = lows.charCodeAt(n) << 24 >> 24;
    peaks[n * 2 + 1] = highs.charCodeAt(n) << 24 >> 24;
  }
  return peaks;
}
