// Recording from a microphone: choice of device, level, pause; what is recorded is kept at once.

import * as chunks from './chunks.js';
import {announce, button, el, labelled} from './dom.js';
import {t} from './texts.js';
import {clock, moment} from './times.js';

const TYPES = ['audio/webm;codecs=opus', 'audio/mp4', 'audio/ogg;codecs=opus'];

/**
 * The part of the start page that records.
 * @param {(file: File) => Promise<boolean>} send says whether the server has it
 */
export function microphone(send) {
  const root = el('section', {class: 'microphone', 'aria-label': t('microphone')});
  const left = el('ul', {class: 'unsent'});
  if (!navigator.mediaDevices?.getUserMedia) {
    root.append(el('p', {class: 'note'}, t('microphoneNeedsHttps')));
    return root;
  }
  const record = button(t('record'), start, {class: 'record'});
  const pause = button(t('pause'), paused, {hidden: true});
  const stop = button(t('stop'), () => recorder?.stop(), {hidden: true});
  const device = el('select', {onchange: () => { if (recorder?.state !== 'recording') release(); }});
  const devices = labelled(t('device'), device);
  devices.hidden = true;
  const meter = el('canvas', {width: 240, height: 36, class: 'meter', hidden: true, 'aria-hidden': 'true'});
  const time = el('output', {hidden: true});
  root.append(el('div', {class: 'buttons'}, record, pause, stop, time, meter), devices, left);
  /** @type {MediaRecorder|null} */
  let recorder = null;
  /** @type {MediaStream|null} */
  let stream = null;
  let id = '', number = 0, seconds = 0, frame = 0, since = 0;
  /** @type {Promise<unknown>} */
  let kept = Promise.resolve();

  function release() {
    stream?.getTracks().forEach(track => track.stop());
    stream = null;
  }

  async function start() {
    try {
      stream ??= await navigator.mediaDevices.getUserMedia({audio: device.value ? {deviceId: {exact: device.value}} : true});
    } catch {
      return announce(t('microphoneRefused'));
    }
    const known = (await navigator.mediaDevices.enumerateDevices()).filter(one => one.kind === 'audioinput');
    const chosen = stream.getAudioTracks()[0].getSettings().deviceId ?? '';
    device.replaceChildren(...known.map(one => el('option', {value: one.deviceId}, one.label || t('microphone'))));
    device.value = chosen;
    devices.hidden = known.length < 2;
    const type = TYPES.find(one => MediaRecorder.isTypeSupported(one)) ?? '';
    recorder = new MediaRecorder(stream, type ? {mimeType: type, audioBitsPerSecond: 64_000} : {});
    id = `${Date.now()}-${Math.random().toString(36).slice(2)}`;
    number = seconds = 0;
    await chunks.begin(id, recorder.mimeType, Date.now());
    recorder.addEventListener('dataavailable', event => {
      const {size} = event.data, mine = number++;
      if (size) kept = kept.then(() => chunks.keep(id, mine, event.data)).catch(() => announce(t('cannotKeep')));
    });
    recorder.addEventListener('stop', stopped);
    recorder.start(1000);
    since = performance.now();
    show(true);
    draw(stream);
  }

  function paused() {
    if (recorder?.state === 'recording') {
      recorder.pause();
      seconds += (performance.now() - since) / 1000;
    } else {
      recorder?.resume();
      since = performance.now();
    }
    pause.textContent = recorder?.state === 'paused' ? t('resume') : t('pause');
  }

  async function stopped() {
    const {mimeType} = /** @type {MediaRecorder} */ (recorder);
    cancelAnimationFrame(frame);
    recorder = null;
    release();
    show(false);
    await kept;
    await deliver({id, type: mimeType, began: Date.now()});
  }

  /** @param {{id: string, type: string, began: number}} recording */
  async function deliver({id: one, type, began}) {
    const blob = await chunks.whole(one, type);
    const ending = type.includes('mp4') ? 'm4a' : type.includes('ogg') ? 'ogg' : 'webm';
    if (!blob.size || await send(new File([blob], `${t('recordingOf', {time: moment(began / 1000)})}.${ending}`, {type}))) await chunks.drop(one);
    await list();
  }

  async function list() {
    const found = (await chunks.unsent().catch(() => [])).filter(one => !recorder || one.id !== id);
    left.replaceChildren(...found.map(one => el('li', {}, t('unsentRecording', {time: moment(one.began / 1000)}), ' ',
      button(t('send'), () => deliver(one)), ' ',
      button(t('discard'), async () => { await chunks.drop(one.id); await list(); }, {class: 'quiet'}))));
  }

  /** @param {boolean} on */
  function show(on) {
    record.hidden = on;
    pause.hidden = stop.hidden = time.hidden = meter.hidden = !on;
    pause.textContent = t('pause');
    (on ? stop : record).focus();
  }

  /** @param {MediaStream} source */
  function draw(source) {
    const context = new AudioContext(), analyser = context.createAnalyser();
    context.createMediaStreamSource(source).connect(analyser);
    const wave = new Uint8Array(analyser.fftSize), pen = /** @type {CanvasRenderingContext2D} */ (meter.getContext('2d'));
    const levels = /** @type {number[]} */ ([]);
    function paint() {
      if (!recorder) return void context.close();
      frame = requestAnimationFrame(paint);
      const paused = recorder.state === 'paused';
      time.textContent = clock(seconds + (paused ? 0 : (performance.now() - since) / 1000));
      if (paused) return;
      analyser.getByteTimeDomainData(wave);
      levels.push(wave.reduce((most, value) => Math.max(most, Math.abs(value - 128)), 0));
      if (levels.length > meter.width / 2) levels.shift();
      pen.clearRect(0, 0, meter.width, meter.height);
      pen.fillStyle = getComputedStyle(meter).color;
      levels.forEach((level, n) => {
        const tall = Math.max(1, level / 128 * meter.height);
        pen.fillRect(n * 2, (meter.height - tall) / 2, 1.5, tall);
      });
    }
    paint();
  }

  list();
  return root;
}
