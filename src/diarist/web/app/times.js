// Times and counts as people read them.

/** @param {number} seconds @param {boolean} [long] whether hours are always there */
export function clock(seconds, long = false) {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  return h || long ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** The day and time of unix seconds, as this browser's user writes them. @param {number} unix */
export function moment(unix) {
  return new Intl.DateTimeFormat(undefined, {dateStyle: 'medium', timeStyle: 'short'}).format(unix * 1000);
}

/** Seconds left, rounded as a promise should be. @param {number} seconds */
export function about(seconds) {
  return seconds < 90 ? clock(Math.ceil(seconds / 5) * 5) : clock(Math.ceil(seconds / 60) * 60);
}
