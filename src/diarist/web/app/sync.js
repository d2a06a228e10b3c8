// A transcript that is being corrected: drawn at once, kept in this browser, sent in order, undone without end.
//
// The server's transcript at a revision is the truth. What is not sent yet is applied to it here; each edit goes with
// the revision that it was made for, so that two tabs, or two people, never overwrite each other.

import {change, get, jobPath, Refused, transcriptOf} from './api.js';
import {anchorOf, behind, moved, shifted} from './anchors.js';
import {reuse, Script} from './document.js';
import {applyAll, rewritten} from './operations.js';
import {adopt, openTab, Queue} from './queue.js';
import {quiet} from './quiet.js';

/**
 * @typedef {import('./document.js').Transcript} Transcript
 * @typedef {import('./operations.js').Operation} Operation
 * @typedef {import('./queue.js').Action} Action
 * @typedef {{operations: Operation[], before: Transcript, after: Transcript, sent?: boolean}} Step
 */

const tab = openTab();

/**
 * Events: `changed` (another transcript to draw), `state` (saved, sending, offline), `refused` (an edit that cannot be
 * done), `conflict` (edits whose words somebody else has changed), `foreign` (somebody else's change came in).
 */
export class Sync extends EventTarget {
  /** @param {string} job @param {Transcript} transcript @param {number} revision */
  constructor(job, transcript, revision) {
    super();
    this.job = job;
    this.current = transcript;
    this.script = new Script(transcript);
    this.state = 'saved';
    this.revision = revision;
    /** @type {import('./queue.js').Draft|null} */
    this.draft = null;
    this.keeps = true;
    /** @type {Transcript} */
    this.base = transcript;
    /** @type {Action[]} */
    this.pending = [];
    /** @type {Step[]} */
    this.past = [];
    /** @type {Step[]} */
    this.future = [];
    this.queue = new Queue(job, tab);
    this.shifts = /** @type {[number, number][]} */ ([]);
    this.busy = false;
    this.pause = 500;
    this.channel = new BroadcastChannel(`diarist.${job}`);
    this.channel.onmessage = event => { if (event.data > this.revision) this.#look(); };
    this.wake = () => this.#pump();
    addEventListener('online', this.wake);
  }

  /** Open a job's transcript. @param {string} job @param {Promise<Response>} [early] the answer, if it was asked for */
  static async open(job, early) {
    const {transcript, revision} = await transcriptOf(job, early);
    return new Sync(job, transcript, revision);
  }

  /** Take over what this browser has not sent of it, once somebody listens. */
  async begin() {
    for (const kept of await adopt(this.job, tab)) await this.#take(kept);
    this.#pump();
  }

  close() {
    this.closed = true;
    this.channel.close();
    clearTimeout(this.timer);
    removeEventListener('online', this.wake);
  }

  /** Correct. @param {Operation[]} operations */
  do(operations) {
    if (!operations.length) return;
    this.future = [];
    this.#do(operations);
  }

  get canUndo() {
    return this.past.length > 0 || (!this.pending.length && this.revision > 0);
  }

  undo() {
    const step = this.past.pop();
    if (!step && (this.pending.length || this.revision === 0)) return false;
    const unsent = this.pending.at(-1)?.operations && !(this.busy && this.pending.length === 1);
    if (step && unsent) this.pending.pop(); else this.pending.push({id: name(), undo: true});
    if (step) {
      this.future.push({...step, sent: !unsent});
      this.#show(step.before);
    }
    this.#keep();
    this.#pump();
    return true;
  }

  redo() {
    const step = this.future.pop();
    if (step && !step.sent) {
      this.#do(step.operations);
      return true;
    }
    if (!step && (this.pending.length || this.revision === 0)) return false;
    this.pending.push({id: name(), redo: true});
    if (step) {
      this.past.push(step);
      this.#show(step.after);
    }
    this.#keep();
    this.#pump();
    return true;
  }

  /** Keep what is being written, before it is an edit. @param {import('./queue.js').Draft|null} draft */
  write(draft) {
    this.draft = draft;
    this.#keep();
  }

  /** Wait until the server has everything. */
  async settled() {
    while (this.pending.length && this.state !== 'offline') await new Promise(resolve => setTimeout(resolve, 30));
    return !this.pending.length;
  }

  /** Put a transcript in place that was made anew, e.g. for another number of speakers. @param {Transcript} transcript @param {number} revision */
  replace(transcript, revision) {
    this.past = [];
    this.future = [];
    this.#accept(transcript, revision);
    this.channel.postMessage(revision);
  }

  /** @param {Operation[]} operations */
  #do(operations) {
    const before = this.current, script = this.script;
    const after = applyAll(before, operations);
    const anchors = operations.length === 1 ? operations.map(one => anchorOf(script, one)) : [];
    this.past.push({operations, before, after});
    this.#show(after);
    const now = this.shifts.reduce((all, [from, by]) => all.map(one => shifted(one, from, by)), operations);
    this.pending.push({id: name(), operations: now, units: this.script.numUnits, behind: behind(now, script, this.script), anchors});
    this.#keep();
    this.#pump();
  }

  /** @param {Transcript} transcript */
  #show(transcript) {
    const before = this.current;
    this.current = transcript;
    this.script = new Script(transcript);
    this.dispatchEvent(new CustomEvent('changed', {detail: {before}}));
  }

  #keep() {
    this.keeps = this.queue.keep({revision: this.revision, actions: this.pending, draft: this.draft});
  }

  /** @param {string} state */
  #say(state) {
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }

  async #pump() {
    if (this.busy || this.closed) return;
    clearTimeout(this.timer);
    this.busy = true;
    try {
      while (this.pending.length && !this.closed) {
        this.#say('sending');
        await this.#send(this.pending[0]);
        this.pause = 500;
      }
      this.#say('saved');
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#say('offline');
      this.timer = setTimeout(this.wake, this.pause);
      this.pause = Math.min(this.pause * 2, 15_000);
    } finally {
      this.busy = false;
    }
  }

  /** @param {Action} action */
  async #send(action) {
    const body = action.undo ? {undo: true} : action.redo ? {redo: true} : {operations: action.operations};
    try {
      const sent = await change(this.job, 'edits', this.revision, body);
      // A long transcript takes a moment to read: not while somebody writes.
      await quiet();
      const answer = await sent.json();
      this.pending.shift();
      this.#shift(action, answer.transcript);
      this.#accept(answer.transcript, answer.revision);
      this.channel.postMessage(answer.revision);
    } catch (error) {
      if (!(error instanceof Refused) || error.passes || error.status === 401) throw error;
      if (error.status !== 412) {
        this.pending.shift();
        this.dispatchEvent(new CustomEvent('refused', {detail: error.message}));
      }
      await this.#rebase();
    }
  }

  /** Where the server cut the new text into more or fewer words, later edits name others. @param {Action} action @param {Transcript} truth */
  #shift(action, truth) {
    const by = action.units === undefined ? 0 : new Script(truth).numUnits - action.units - this.shifts.reduce((sum, [, each]) => sum + each, 0);
    const from = action.behind;
    if (!by || from === undefined || !this.pending.length) return;
    this.shifts.push([from, by]);
    for (const later of this.pending) {
      later.operations &&= later.operations.map(one => shifted(one, from, by));
      if (later.behind !== undefined && later.behind >= from) later.behind += by;
    }
  }

  /** @param {Transcript} transcript @param {number} revision */
  #accept(transcript, revision) {
    this.revision = revision;
    this.base = transcript;
    this.#keep();
    if (this.pending.length) return;
    this.shifts = [];
    this.#show(reuse(this.current, transcript));
  }

  /** Somebody else has changed the transcript: find the words of our edits in theirs. */
  async #rebase() {
    const {transcript, revision} = await transcriptOf(this.job);
    const first = this.pending[0];
    if (revision > this.revision && first && await this.#arrived(first)) this.pending.shift();
    const lost = [];
    const kept = [];
    let now = transcript;
    for (const action of this.pending) {
      const script = new Script(now);
      const operations = action.operations?.map((one, n) => moved(script, one, action.anchors?.[n]));
      if (operations?.length && operations.every(one => one !== null)) {
        now = applyAll(now, operations);
        const after = new Script(now);
        kept.push({...action, operations, units: after.numUnits, behind: behind(operations, script, after)});
      } else {
        lost.push(action);
      }
    }
    this.base = transcript;
    this.revision = revision;
    this.pending = kept;
    this.past = [];
    this.future = [];
    this.shifts = [];
    this.#keep();
    this.#show(reuse(this.current, now));
    this.dispatchEvent(lost.length ? new CustomEvent('conflict', {detail: lost}) : new Event('foreign'));
  }

  /** Whether the server has an edit whose answer did not reach us. @param {Action} action */
  async #arrived(action) {
    const history = await get(`${jobPath(this.job)}/edits`);
    const next = history.data.find((/** @type {any} */ one) => one.revision === this.revision + 1);
    if (next === undefined) return false;
    const kind = action.undo ? 'undo' : action.redo ? 'redo' : 'edit';
    return next.kind === kind && (kind !== 'edit' || JSON.stringify(next.operations) === JSON.stringify(action.operations));
  }

  /** Take over what a tab left that is gone. @param {import('./queue.js').Kept} kept */
  async #take(kept) {
    if (kept.actions.length) {
      const truth = this.revision;
      this.pending.push(...kept.actions);
      if (kept.revision !== truth) {
        this.revision = kept.revision;
        await this.#rebase();
      } else {
        for (const action of kept.actions) {
          if (!action.operations) continue;
          const before = this.current;
          this.#show(applyAll(before, action.operations));
          this.past.push({operations: action.operations, before, after: this.current});
        }
      }
      this.#keep();
    }
    const {draft} = kept;
    if (!draft) return;
    const segment = this.script.segments.find(one => Math.abs(one.start - draft.start) < 0.0015 && one.text === draft.was);
    if (!segment) {
      this.dispatchEvent(new CustomEvent('conflict', {detail: [{id: '', operations: [{op: 'replace', text: draft.text}]}]}));
      return;
    }
    const operation = rewritten(this.script, this.script.numberOf(segment), draft.text);
    if (operation) this.#do([operation]);
  }

  /** Another tab has saved something. */
  async #look() {
    if (this.busy || this.pending.length) return this.#pump();
    const {transcript, revision} = await transcriptOf(this.job);
    if (revision <= this.revision || this.pending.length) return;
    this.past = [];
    this.future = [];
    this.#accept(transcript, revision);
    this.dispatchEvent(new Event('foreign'));
  }
}

/** A name for an edit. */
const name = () => Array.from(crypto.getRandomValues(new Uint8Array(8)), byte => byte.toString(16).padStart(2, '0')).join('');
