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
// refine - change the query of the address without a step in the history; what is listed then is seen from its beginning
export function refine(change) {
	const { view, name, query } = route();
	scrollTo(0, 0);
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

// A list as far as it is loaded: rows that stand together, the first of them at position `base` of the whole list. `next` and `back` are the
// cursors behind and before them. `shift`: by how many rows positions have moved, where a position turned out to have been a guess.
const EMPTY = { key: null, rows: [], base: 0, head: null, next: null, back: null, shift: 0, loading: true, error: null };
const SPARE = 60;       // rows of room for what is before the first one, where there is more than was thought

const opposite = (query) => ({ ...query, order: query.order === 'asc' ? 'desc' : 'asc' });

// first, more, before, middle - what an answer makes of a list
function first(key, head, member) {
	return { ...EMPTY, key, rows: head[member], head: { ...head, [member]: undefined }, next: head[member].length ? head.next ?? null : null, loading: false };
}
function more(list, head, member) {
	return { ...list, rows: list.rows.concat(head[member]), head: { ...head, [member]: undefined }, next: head[member].length && head.next !== list.next ? head.next ?? null : null, loading: false };
}
function before(list, head, member) {
	const rows = head[member].slice().reverse();
	const back = rows.length && head.next !== list.back ? head.next ?? null : null;
	const guess = list.base - rows.length;
	const base = back ? Math.max(guess, guess > 0 ? 0 : SPARE) : 0;
	return { ...list, rows: rows.concat(list.rows), base, back, shift: list.shift + base - guess, loading: false };
}
const middle = (key, head, member) => ({ ...first(key, head, member), base: head[member].length ? head.at ?? 0 : 0, back: head.back ?? null });

// usePages - a list by its pages: { rows, base, head, next, back, loading, error, more(), before(), jump(position), again() }. head is the newest
// answer without the rows. While another query is under way the old rows stay, with stale set.
export function usePages(path, query, member) {
	const key = `${path} ${JSON.stringify(query)}`;
	const [list, setList] = useState(() => kept.get(key)?.list ?? EMPTY);
	const state = useRef({ list, control: null });
	const put = (next) => {
		state.current.list = next;
		setList(next);
		if (!next.loading && !next.error)
			remember(key, { list: next, at: kept.get(key)?.at ?? Date.now() });
	};
	const load = useCallback((asked, made) => {
		state.current.control?.abort();
		const control = new AbortController();
		state.current.control = control;
		put({ ...state.current.list, loading: true, error: null });
		get(path, asked, control.signal).then((head) => !control.signal.aborted && put(made(head)), (error) => {
			if (!control.signal.aborted)
				put({ ...EMPTY, key, loading: false, error });
		});
	}, [key]);
	const start = () => load({ ...query, ...(member === 'events' ? { before: 'now' } : {}) }, (head) => first(key, head, member));
	useEffect(() => {
		const old = kept.get(key);
		if (old && Date.now() - old.at < KEPT_FOR)
			put(old.list);
		else {
			kept.delete(key);
			start();
		}
		return () => state.current.control?.abort();
	}, [key]);
	// Only what is loaded of this very query goes on.
	const from = (cursor, asked, made) => {
		const now = state.current.list;
		if (now[cursor] && !now.loading && now.key === key)
			load(asked(now[cursor]), (head) => made(now, head, member));
	};
	return {
		...list,
		stale: list.key !== null && list.key !== key,
		more: () => from('next', (at) => ({ ...query, ...(member === 'events' ? { before: at } : { after: at }) }), more),
		before: () => from('back', (at) => ({ ...opposite(query), after: at }), before),
		jump: (position) => state.current.list.key === key && load({ ...query, at: position }, (head) => middle(key, head, member)),
		again: () => {
			kept.delete(key);
			start();
		},
	};
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
