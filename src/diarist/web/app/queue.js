// Edits that the server does not have yet, kept in this browser: by recording, and by tab, so that two tabs do not mix.

/**
 * @typedef {import('./operations.js').Operation} Operation
 * @typedef {{start: number, texts: string[]}} Anchor
 * @typedef {{id: string, operations?: Operation[], undo?: true, redo?: true, units?: number, behind?: number, anchors?: (Anchor|null)[]}} Action
 * @typedef {{start: number, was: string, text: string}} Draft
 * @typedef {{revision: number, actions: Action[], draft: Draft|null}} Kept
 */

const PREFIX = 'diarist.edits';

/** What one tab has not sent of one recording. */
export class Queue {
  /** @param {string} job @param {string} tab */
  constructor(job, tab) {
    this.key = `${PREFIX}.${job}.${tab}`;
  }

  /** Keep it; throws nothing where the browser keeps nothing, but says so. @param {Kept} kept @returns {boolean} */
  keep(kept) {
    try {
      if (kept.actions.length || kept.draft) localStorage.setItem(this.key, JSON.stringify(kept));
      else localStorage.removeItem(this.key);
      return true;
    } catch {
      return false;
    }
  }
}

/**
 * Find what tabs left behind that are gone, and take it over.
 * @param {string} job
 * @param {string} tab this one
 * @returns {Promise<Kept[]>}
 */
export async function adopt(job, tab) {
  const open = new Set(navigator.locks ? (await navigator.locks.query()).held?.map(lock => lock.name) : []);
  open.delete(lockName(tab));
  const found = [];
  try {
    for (const key of Object.keys(localStorage).filter(key => key.startsWith(`${PREFIX}.${job}.`)).sort()) {
      if (open.has(lockName(key.slice(`${PREFIX}.${job}.`.length)))) continue;
      try {
        found.push(/** @type {Kept} */ (JSON.parse(localStorage.getItem(key) ?? '')));
      } catch { /* nothing that one could send */ }
      localStorage.removeItem(key);
    }
  } catch { /* a browser that keeps nothing */ }
  return found;
}

/** Forget what was never sent of a recording that is erased. @param {string} job */
export function forget(job) {
  try {
    Object.keys(localStorage).filter(key => key.startsWith(`${PREFIX}.${job}.`)).forEach(key => localStorage.removeItem(key));
  } catch { /* a browser that keeps nothing */ }
}

/** Name this tab, for as long as it lives: others see that it is open. @returns {string} */
export function openTab() {
  const tab = Array.from(crypto.getRandomValues(new Uint8Array(9)), byte => byte.toString(36)).join('');
  navigator.locks?.request(lockName(tab), () => new Promise(() => {}));
  return tab;
}

/** @param {string} tab */
const lockName = tab => `diarist.tab.${tab}`;
