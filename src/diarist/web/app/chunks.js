// What a microphone has recorded, kept in this browser second by second, so that a closed tab loses nothing.

const NAME = 'diarist.recordings';

/** @returns {Promise<IDBDatabase>} */
function database() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(NAME, 1);
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore('recordings', {keyPath: 'id'});
      opening.result.createObjectStore('chunks', {keyPath: ['id', 'number']});
    };
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}

/**
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {(recordings: IDBObjectStore, chunks: IDBObjectStore) => IDBRequest<T>|void} work
 * @returns {Promise<T>}
 */
async function within(mode, work) {
  const base = await database();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = base.transaction(['recordings', 'chunks'], mode, {durability: 'strict'});
      const asked = work(transaction.objectStore('recordings'), transaction.objectStore('chunks'));
      transaction.oncomplete = () => resolve(/** @type {T} */ (asked ? asked.result : undefined));
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    base.close();
  }
}

/** @param {string} id */
const all = id => IDBKeyRange.bound([id, 0], [id, Infinity]);

/** @param {string} id @param {string} type @param {number} began unix milliseconds */
export const begin = (id, type, began) => within('readwrite', recordings => recordings.put({id, type, began}));

/** @param {string} id @param {number} number @param {Blob} data */
export const keep = (id, number, data) => within('readwrite', (_, chunks) => chunks.put({id, number, data}));

/** What was recorded and not sent. @returns {Promise<{id: string, type: string, began: number}[]>} */
export const unsent = () => within('readonly', recordings => recordings.getAll());

/** A recording as one file. @param {string} id @param {string} type */
export async function whole(id, type) {
  const chunks = await within('readonly', (_, store) => store.getAll(all(id)));
  return new Blob(chunks.map((/** @type {any} */ chunk) => chunk.data), {type});
}

/** @param {string} id */
export const drop = id => within('readwrite', (recordings, chunks) => {
  recordings.delete(id);
  chunks.delete(all(id));
});
