// The bar below: the waveform, playing, speed, pauses, a loop.

import {announce, button, el} from './dom.js';
import {speech} from './speakers.js';
import {t} from './texts.js';
import {clock} from './times.js';
import {readPeaks, Waveform} from './waveform.js';

const SPEEDS = [0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2, 2.5, 3];

/** @param {{sync: import('./sync.js').Sync, player: import('./player.js').Player, told: any}} view */
export function controls({sync, player}) {
  const canvas = el('canvas', {class: 'wave', 'aria-hidden': 'true'});
  const wave = new Waveform(canvas, time => player.seek(time));
  const play = button('▶', () => player.toggle(), {class: 'play', 'aria-label': t('play')});
  const position = el('input', {type: 'range', min: 0, max: 1, step: 0.1, value: 0, class: 'position', 'aria-label': t('position'), oninput: () => player.seek(Number(position.value))});
  const shown = el('span', {class: 'clock'});
  const speed = el('select', {'aria-label': t('speed'), onchange: () => { player.speed = Number(speed.value); }},
    ...SPEEDS.map(one => el('option', {value: one}, `${one} ×`)));
  speed.value = '1';
  const skip = button(t('skipPauses'), pauses, {'aria-pressed': 'false'});
  const again = button(t('loopOff'), () => player.repeat(null), {hidden: true});
  const missing = el('p', {class: 'note', role: 'status', hidden: true}, t('noRecording'));
  const root = el('footer', {class: 'desk', 'aria-label': t('player'), role: 'region'}, canvas, position, missing,
    el('div', {class: 'buttons'}, button('−5', () => player.seek(player.time - 5), {'aria-label': t('backFive')}), play,
      button('+5', () => player.seek(player.time + 5), {'aria-label': t('onFive')}), shown, speed, skip, again));
  let second = -1;

  player.addEventListener('missing', () => {
    missing.hidden = false;
    canvas.hidden = true;
  });
  player.addEventListener('state', () => {
    play.textContent = player.playing ? '❚❚' : '▶';
    play.setAttribute('aria-label', t(player.playing ? 'pause' : 'play'));
    skip.setAttribute('aria-pressed', String(player.skipsPauses));
    again.hidden = !player.loop;
    wave.loop = player.loop;
    wave.draw();
    if (!SPEEDS.includes(player.speed)) {
      speed.querySelector('[data-own]')?.remove();
      speed.append(el('option', {value: player.speed, dataset: {own: ''}}, `${player.speed} ×`));
    }
    speed.value = String(player.speed);
  });

  function time() {
    wave.at(player.time);
    const whole = Math.floor(player.time);
    if (whole === second) return;
    second = whole;
    const now = clock(whole);
    shown.textContent = `${now} / ${clock(sync.current.duration)}`;
    position.value = String(player.time);
    position.setAttribute('aria-valuetext', now);
  }

  function pauses() {
    player.skipPauses(!player.skipsPauses, speech(sync.current, () => true));
    announce(t(player.skipsPauses ? 'skipsPauses' : 'playsPauses'));
  }

  return {
    root,
    time,
    pauses,
    draw() {
      position.max = String(sync.current.duration);
      wave.set(sync.current);
      second = -1;
      time();
    },
    /** @param {{min: string, max: string, per_second: number}} sent */
    peaks(sent) {
      wave.peaks = readPeaks(sent);
      wave.perSecond = sent.per_second;
      wave.loudest = wave.peaks.reduce((most, value) => Math.max(most, Math.abs(value)), 8);
      wave.draw();
    },
    /** @param {number} by */
    faster(by) {
      player.speed = player.speed + by;
      announce(`${player.speed} ×`);
    },
    /** @param {number} by */
    zoom: by => wave.setZoom(wave.zoom * by),
    /** Play some words again and again, or end that. @param {{first: number, stop: number}} range */
    loop({first, stop}) {
      if (player.loop) return player.repeat(null);
      const start = sync.script.unit(first)?.start, end = sync.script.unit(stop - 1)?.end;
      if (start === undefined || end === undefined) return;
      player.repeat({start, end: Math.max(end, start + 0.3)});
      announce(t('looping', {from: clock(start), to: clock(end)}));
    },
    close: () => wave.close(),
  };
}
