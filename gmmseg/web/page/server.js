// What the page asks of the server. The token stands in the address behind the #, which browsers send nowhere.

const token = location.hash.slice(1);

/**
 * An answer that is no success; `exists` where a file would have been replaced, `stale` where another page of the same
 * image has asked for other classes since.
 */
export class Refused extends Error {
  /** @param {string} message @param {boolean} [exists] @param {boolean} [stale] */
  constructor(message, exists = false, stale = false) {
    super(message);
    this.exists = exists;
    this.stale = stale;
  }
}

/**
 * @param {string} path
 * @param {object} [asked] what is posted, where anything is
 * @returns {Promise<Response>}
 */
async function answer(path, asked) {
  const headers = { 'X-Gmmseg-Token': token };
  const request = asked === undefined ? { headers } : {
    method: 'POST', headers: { ...headers, 'Content-Type': 'application/json' }, body: JSON.stringify(asked),
  };
  let found;
  try {
    found = await fetch(`/api/${path}`, request);
  } catch {
    throw new Refused('the program has ended; start gmmseg view again');
  }
  if (!found.ok) {
    const said = await found.json();
    throw new Refused(said.error, said.exists === true, said.stale === true);
  }
  return found;
}

/** @param {string} path @param {object} [asked] @returns {Promise<any>} */
export async function ask(path, asked) {
  return (await answer(path, asked)).json();
}

/** @param {string} path @returns {Promise<Blob>} */
export async function blob(path) {
  return (await answer(path)).blob();
}

/** @param {string} path @returns {Promise<Uint8Array>} */
export async function bytes(path) {
  return new Uint8Array(await (await answer(path)).arrayBuffer());
}

/** Read what the server sends for as long as the page is open: it ends once nobody does. @param {() => void} ended */
export async function stay(ended) {
  try {
    const reader = /** @type {ReadableStream<Uint8Array>} */ ((await answer('alive')).body).getReader();
    while (!(await reader.read()).done);
  } finally {
    ended();
  }
}
