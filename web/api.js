// SPDX-License-Identifier: Apache-2.0
//
// api: the requests that the page makes (doc/PAGE.md, "The API"). It knows where the registry is, sends the header that
// changes need, and goes on asking while nothing answers. It must not know any view.

// This file is BASE/berth/page/HASH/api.js, so the API is three levels up, below whatever prefix.
const base = new URL('../../../', import.meta.url);

// What the registry has refused, in its own words.
export class Refusal extends Error {
	constructor(status, errors) {
		const first = errors?.[0] ?? {};
		const detail = typeof first.detail === 'string' ? first.detail : '';
		super([first.message || `the registry answered ${status}`, detail].filter(Boolean).join(': '));
		this.status = status;
		this.detail = detail;
		this.code = first.code ?? '';
		this.unknown = false;           // whether nobody knows if a change was made
		this.after = '';                // in how many seconds it may be tried again
	}
}

// away: since when nothing has answered, null while all is well; again: when the next try is; why: what the registry says of it, or ''
export const link = { away: null, again: null, why: '' };
const watchers = new Set();
export function watchLink(watcher) {
	watchers.add(watcher);
	return () => watchers.delete(watcher);
}
function linkIs(away, again, why) {
	if (link.away === away && link.again === again && link.why === why)
		return;
	Object.assign(link, { away, again, why });
	for (const watcher of watchers)
		watcher();
}

// Everybody who waits for the next try; the button, and the browser's word that it is online, end the wait.
const waiting = new Set();
export function tryNow() {
	for (const go of [...waiting])
		go();
}
addEventListener('online', tryNow);

function pause(ms, signal) {
	return new Promise((resolve) => {
		const go = () => {
			clearTimeout(timer);
			waiting.delete(go);
			resolve();
		};
		const timer = setTimeout(go, ms);
		waiting.add(go);
		signal?.addEventListener('abort', go, { once: true });
	});
}

// address - the URL of a path below /berth/v1/; members of query that are empty are left out
// A browser takes "..", "." and nothing between two slashes for the way to another path, so none of them is asked for.
function address(path, query) {
	if (path.split('/').some((part) => ['', '.', '..'].includes(part)))
		throw new RangeError(`no path of the API: ${path}`);
	const url = new URL(`berth/v1/${path}`, base);
	for (const [key, value] of Object.entries(query ?? {}))
		if (value !== undefined && value !== null && value !== '')
			url.searchParams.set(key, value);
	return url.href;
}

// repoPath - the path of something of a repository; a digest has a colon, which may stand in a path
export function repoPath(name, rest) {
	return `repos/${name.split('/').map(encodeURIComponent).join('/')}/${rest}`;
}

async function answer(response) {
	if (response.status === 204)
		return null;
	let body = null;
	try {
		body = await response.json();
	} catch {
		if (response.ok)
			throw new Refusal(response.status, [{ message: 'the answer of the registry was cut short' }]);
	}
	if (response.ok)
		return body;
	const refusal = new Refusal(response.status, body?.errors);
	refusal.after = /^[0-9]{1,6}$/.exec(response.headers.get('Retry-After') ?? '')?.[0] ?? '';
	throw refusal;
}

// why - what a worker says of its 503, or '': nginx has nothing to say of one, as where there is no worker
async function why(response) {
	const refusal = response?.status === 503 ? await answer(response).catch((error) => error) : null;
	return refusal?.detail ?? '';
}

// With this header a 401 opens no form of the browser's own, and a change is taken from this page.
const HEADERS = { Accept: 'application/json', 'Berth-Request': 'page' };
const nobodyThere = (status) => status >= 502 && status <= 504;
const going = new Map();        // GETs under way, by URL: two that want the same share one

async function ask(url, signal) {
	for (let wait = 1000; ; wait = Math.min(wait * 2, 15000)) {
		let response = null;
		try {
			response = await fetch(url, { headers: HEADERS, credentials: 'same-origin', cache: 'no-store', signal });
		} catch (error) {
			if (signal.aborted)
				throw error;
		}
		if (response && !nobodyThere(response.status)) {
			linkIs(null, null, '');
			return answer(response);
		}
		linkIs(link.away ?? Date.now(), Date.now() + wait, await why(response));
		await pause(wait, signal);
		signal.throwIfAborted();
	}
}

// get - what a GET answers. It goes on trying while nothing answers; `signal` gives it up.
export async function get(path, query, signal) {
	const url = address(path, query);
	let one = going.get(url);
	if (!one) {
		const control = new AbortController();
		one = { wanted: 0, control };
		one.forget = () => going.get(url) === one && going.delete(url);
		one.promise = ask(url, control.signal).finally(one.forget);
		going.set(url, one);
	}
	one.wanted++;
	const leave = () => {
		if (--one.wanted === 0) {
			one.forget();
			one.control.abort();
		}
	};
	signal?.addEventListener('abort', leave, { once: true });
	return one.promise;
}

const UNKNOWN = 'the registry did not answer, so nobody knows whether it did this; look before you try again';
function unknown(status, message) {
	const refusal = new Refusal(status, [{ message }]);
	refusal.unknown = true;
	return refusal;
}

// send - a request that changes something; it is made once, since nobody knows what became of one without an answer
export async function send(method, path, body) {
	const url = address(path);
	let response;
	try {
		response = await fetch(url, {
			method,
			credentials: 'same-origin',
			cache: 'no-store',
			headers: { ...HEADERS, ...(body ? { 'Content-Type': 'application/json' } : {}) },
			body: body ? JSON.stringify(body) : undefined,
		});
	} catch {
		throw unknown(0, UNKNOWN);
	}
	if (nobodyThere(response.status)) {
		const said = await why(response);
		throw unknown(response.status, said ? `the registry says: ${said}; look before you try again` : UNKNOWN);
	}
	return answer(response);
}
