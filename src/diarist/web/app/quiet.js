// Waiting until somebody who writes pauses.

const PAUSE = 400, LONGEST = 3000;
let last = -Infinity;
addEventListener('keydown', () => { last = performance.now(); }, true);

/** Wait for a pause in writing, but not for long. */
export async function quiet() {
  const until = performance.now() + LONGEST;
  while (performance.now() - last < PAUSE && performance.now() < until) await new Promise(resolve => setTimeout(resolve, 50));
}
