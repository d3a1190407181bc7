// SPDX-License-Identifier: Apache-2.0
//
// state: where the reader is (the address behind #), who the reader is, and what lists have loaded. Views read it by hooks.
import { useState, useEffect, useRef, useCallback } from './preact.js';
import { get } from './api.js';
import { isDigest } from './names.js';

// --- the address: #/VIEW/NAME?key=value

export function route() {
	const [path, search] = (location.hash.slice(1) || '/').split(/\?(.*)/s);
	const [, view, rest] = /^\/([a-z]*)\/?(.*)$/s.exec(path) ?? [null, 'unknown', ''];
	let name = rest;
	try {
		name = decodeURIComponent(rest);
	} catch {
		// shown as it is: there is nothing of that name
	}
	return { view, name, query: Object.fromEntries(new URLSearchParams(search ?? '')) };
}

const searchOf = (query) => {
	const kept = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== '');
	return kept.length ? `?${new URLSearchParams(kept)}` : '';
};
export const to = (view, name = '', query) => `#/${view}${name ? `/${encodeURI(name).replace(/[?#]/g, encodeURIComponent)}` : ''}${searchOf(query)}`;
export const toRepo = (name, query) => to('repo', name, query);
export const toImage = (repo, ref) => to('image', repo + (isDigest(ref) ? '@' : ':') + ref);

export function go(address) {
	location.hash = address;
}

const movers = new Set();
// refine - change the query of the address without a step in the history
export function refine(change) {
	const { view, name, query } = route();
	history.replaceState(history.state, '', to(view, name, { ...query, ...change }));
	for (const moved of movers)
		moved();
}

export function useRoute() {
	const [at, set] = useState(route);
	useEffect(() => {
		const moved = () => {
			me.fresh = false;
			set(route());
		};
		movers.add(moved);
		addEventListener('hashchange', moved);
		return () => {
			movers.delete(moved);
			removeEventListener('hashchange', moved);
		};
	}, []);
	return at;
}

// --- who the reader is

export const me = { who: null, fresh: false, watchers: new Set() };
export function setMe(who) {
	me.who = who;
	me.fresh = true;
	forget();
	for (const watcher of me.watchers)
		watcher(who);
}

// --- what was loaded: by the view's address, so that a step back shows at once what was there

const kept = new Map();
const KEPT_FOR = 120000;
const KEPT = 12;
export function forget() {
	kept.clear();
}
function remember(key, value) {
	kept.delete(key);
	kept.set(key, value);
	if (kept.size > KEPT)
		kept.delete(kept.keys().next().value);
}

const EMPTY = { key: null, rows: [], head: null, next: null, loading: true, error: null };

// usePages - a list by its pages: { rows, head, next, loading, error, more(), again() }. head is the newest answer without the rows.
// While another query is under way the old rows stay, with stale set.
export function usePages(path, query, member) {
	const key = `${path} ${JSON.stringify(query)}`;
	const [list, setList] = useState(() => kept.get(key)?.list ?? EMPTY);
	const state = useRef({ list, key: null, control: null });
	const put = (next) => {
		state.current.list = next;
		setList(next);
		if (!next.loading && !next.error)
			remember(key, { list: next, at: kept.get(key)?.at ?? Date.now() });
	};
	const load = useCallback((before) => {
		state.current.control?.abort();
		const control = new AbortController();
		state.current.control = control;
		put({ ...state.current.list, loading: true, error: null });
		const after = before ? before.next : undefined;
		const cursor = member === 'events' ? { before: after ?? 'now' } : { after };
		get(path, { ...query, ...cursor }, control.signal).then((head) => {
			if (control.signal.aborted)
				return;
			const rows = before ? before.rows.concat(head[member]) : head[member];
			const next = head[member].length && head.next !== after ? head.next ?? null : null;
			put({ key, rows, head: { ...head, [member]: undefined }, next, loading: false, error: null });
		}, (error) => {
			if (!control.signal.aborted)
				put({ ...(before ?? EMPTY), key, loading: false, error });
		});
	}, [key]);
	useEffect(() => {
		const old = kept.get(key);
		if (old && Date.now() - old.at < KEPT_FOR)
			put(old.list);
		else {
			kept.delete(key);
			load(null);
		}
		return () => state.current.control?.abort();
	}, [key]);
	const more = () => {
		const now = state.current.list;
		if (now.next && !now.loading && now.key === key)
			load(now);
	};
	const again = () => {
		kept.delete(key);
		load(null);
	};
	return { ...list, stale: list.key !== null && list.key !== key, more, again };
}

// useAnswer - one answer: { value, error, loading, again() }; a path of null asks for nothing
export function useAnswer(path, query) {
	const key = path === null ? null : `${path} ${JSON.stringify(query ?? {})}`;
	const [answer, setAnswer] = useState(() => kept.get(key) ?? { value: null, error: null, loading: key !== null });
	const control = useRef(null);
	const load = useCallback(() => {
		control.current?.abort();
		const mine = new AbortController();
		control.current = mine;
		setAnswer((old) => ({ ...old, loading: true }));
		get(path, query, mine.signal).then((value) => {
			if (mine.signal.aborted)
				return;
			const got = { key, value, error: null, loading: false, at: Date.now() };
			remember(key, got);
			setAnswer(got);
		}, (error) => {
			if (!mine.signal.aborted)
				setAnswer({ key, value: null, error, loading: false });
		});
	}, [key]);
	useEffect(() => {
		if (key === null)
			return undefined;
		const old = kept.get(key);
		if (old && Date.now() - old.at < KEPT_FOR)
			setAnswer(old);
		else {
			setAnswer((was) => (was.key === key ? was : { value: null, error: null, loading: true }));
			load();
		}
		return () => control.current?.abort();
	}, [key]);
	return { ...answer, again: load };
}

// useTyped - [text, setText] of a field whose value is a member of the address's query, a moment after the last key
export function useTyped(name, value) {
	const [text, setText] = useState(value);
	const timer = useRef(0);
	useEffect(() => setText(value), [value]);
	const typed = (next) => {
		setText(next);
		clearTimeout(timer.current);
		timer.current = setTimeout(() => refine({ [name]: next }), 180);
	};
	useEffect(() => () => clearTimeout(timer.current), []);
	return [text, typed];
}

// --- small messages below: "12 tags deleted. Undo"

const told = { list: [], watchers: new Set(), last: 0 };
export function tell(text, action) {
	told.last++;
	told.list = [...told.list.slice(-2), { id: told.last, text, action }];
	for (const watcher of told.watchers)
		watcher(told.list);
	return told.last;
}
export function untell(id) {
	told.list = told.list.filter((one) => one.id !== id);
	for (const watcher of told.watchers)
		watcher(told.list);
}
export function useTold() {
	const [list, set] = useState(told.list);
	useEffect(() => {
		told.watchers.add(set);
		return () => told.watchers.delete(set);
	}, []);
	return list;
}
