const media = document.querySelector('video');
const words = [...document.querySelectorAll('main .w')];
const starts = words.map(word => +word.dataset.s);
const names = [...document.querySelectorAll('input[data-label]')];
let lit = null;

// The word being said.
function show() {
  const time = media.currentTime;
  let low = 0, high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= time) low = middle + 1; else high = middle;
  }
  const word = words[low - 1];
  const now = word && time < +word.dataset.e ? word : null;
  if (now === lit) return;
  if (lit) lit.classList.remove('now');
  lit = now;
  if (!lit) return;
  lit.classList.add('now');
  const box = lit.getBoundingClientRect();
  const top = document.querySelector('header').getBoundingClientRect().bottom + 20;
  if (box.top < top || box.bottom > innerHeight - 80) lit.scrollIntoView({block: 'center'});
}
media.addEventListener('timeupdate', show);
media.addEventListener('seeked', show);

// The recording: one of the named places, or a file that the reader chooses. It stays on this computer.
const missing = document.getElementById('missing');
media.addEventListener('loadedmetadata', () => {
  missing.hidden = true;
  media.classList.toggle('picture', media.videoWidth > 0);
});
media.addEventListener('error', () => { missing.hidden = false; });
const sources = media.querySelectorAll('source');
const last = sources[sources.length - 1];
if (last) last.addEventListener('error', () => { missing.hidden = false; });
// Sources may have failed before this script ran.
if (media.networkState === HTMLMediaElement.NETWORK_NO_SOURCE) missing.hidden = false;
document.querySelector('input[type=file]').addEventListener('change', event => {
  const file = event.target.files[0];
  if (file) { media.src = URL.createObjectURL(file); media.load(); }
});

// Playing from a word by pointer, from a paragraph by its button, and with keys.
document.querySelector('main').addEventListener('click', event => {
  const target = event.target.closest('[data-s]');
  if (target) { media.currentTime = +target.dataset.s; media.play().catch(() => {}); }
});
document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest('input,video')) return;
  const keys = {
    ArrowLeft: () => { media.currentTime -= 5; },
    ArrowRight: () => { media.currentTime += 5; },
  };
  if (event.target === document.body) keys[' '] = () => media.paused ? media.play().catch(() => {}) : media.pause();
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});

// Names: what is shown changes at once; the downloads carry it on.
const named = label => {
  const input = names.find(one => one.dataset.label === label);
  return input ? input.value.trim() || label : label;
};
for (const input of names) {
  input.addEventListener('input', () => {
    for (const shown of document.querySelectorAll('main b')) {
      if (shown.dataset.label === input.dataset.label) shown.textContent = named(input.dataset.label);
    }
  });
}
function save(text, type, suffix) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], {type}));
  link.download = document.title + suffix;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
document.getElementById('save-json').addEventListener('click', () => {
  const transcript = JSON.parse(document.getElementById('transcript').textContent);
  transcript.speakers = [...new Set(transcript.speakers.map(named))];
  for (const talk of [...transcript.segments, ...transcript.turns, ...transcript.segments.flatMap(one => one.words)]) {
    talk.speaker = named(talk.speaker);
  }
  save(JSON.stringify(transcript, null, 2) + '\n', 'application/json', '.json');
});
document.getElementById('save-page').addEventListener('click', () => {
  for (const input of names) input.setAttribute('value', named(input.dataset.label));
  const page = document.documentElement.cloneNode(true);
  for (const word of page.querySelectorAll('.now')) word.classList.remove('now');
  page.querySelector('video').removeAttribute('src');
  page.querySelector('video').className = '';
  page.querySelector('#missing').hidden = true;
  for (const opened of page.querySelectorAll('details')) opened.removeAttribute('open');
  save('<!doctype html>\n' + page.outerHTML + '\n', 'text/html', '.html');
});
