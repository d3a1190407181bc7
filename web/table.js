// SPDX-License-Identifier: Apache-2.0
//
// table: lists of any length. Rows are drawn only where they are seen, and loaded only where somebody looks: one who drags the bar into the middle
// gets a page from there, without those before it.
import { html, useState, useEffect, useLayoutEffect, useRef } from './preact.js';
import { count } from './format.js';
import { refine } from './state.js';
import { Icon } from './parts.js';

const AROUND = 12;              // rows that are drawn beyond what is seen
const SOON = 20;                // rows before the end of what is loaded at which more is asked for
const FAR = 60;                 // rows beyond it at which that is not the way to go
const REST = 120;               // milliseconds that somebody looks at a place before it is asked for
const TALLEST = 15e6;           // pixels: browsers cannot lay out much more
const rowHeight = () => parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--row')) || 38;
const headOf = (e) => e.parentElement.querySelector('.head')?.getBoundingClientRect().bottom ?? 0;

// look - which rows of a list can be seen: first and end of those to draw, top and bottom of those in sight, the height of a row
function look(body, total) {
	const height = rowHeight();
	const from = body.getBoundingClientRect().top;
	const within = (n) => Math.max(0, Math.min(total, n));
	const bottom = within(Math.ceil((innerHeight - from) / height));
	return { first: within(Math.floor(-from / height) - AROUND), end: within(bottom + AROUND), top: within(Math.floor((Math.max(0, headOf(body)) - from) / height)), bottom, height };
}

function useWindow(ref, total) {
	const [seen, set] = useState({ first: 0, end: Math.min(total, 40), top: 0, bottom: 0, height: rowHeight() });
	useLayoutEffect(() => {
		let frame = 0;
		const measure = () => {
			frame = 0;
			const now = ref.current ? look(ref.current, total) : null;
			if (now)
				set((old) => (Object.keys(now).every((key) => old[key] === now[key]) ? old : now));
		};
		const later = () => {
			frame ||= requestAnimationFrame(measure);
		};
		measure();
		addEventListener('scroll', later, { passive: true });
		addEventListener('resize', later);
		return () => {
			cancelAnimationFrame(frame);
			removeEventListener('scroll', later);
			removeEventListener('resize', later);
		};
	}, [total]);
	return seen;
}

// useLoading - ask for what is about to be seen, once it is: what follows, what is before, or a page from there
function useLoading(body, all, { first, end }, lo, hi, { next, back, loading, more, before, jump }) {
	const isFar = (view) => Boolean(jump) && (view.first > hi + FAR || view.end < lo - FAR);
	const far = isFar({ first, end });
	useEffect(() => {
		if (!far && !loading && next && end + SOON >= hi)
			more();
		else if (!far && !loading && back && first - SOON < lo)
			before();
	}, [first, end, lo, hi, next, back, loading, far]);
	useEffect(() => {
		if (!far)
			return undefined;
		const timer = setTimeout(() => {
			const now = look(body.current, all);
			if (isFar(now))
				jump(Math.max(0, Math.floor((now.first + now.end) / 2) - 50));
		}, REST);
		return () => clearTimeout(timer);
	}, [first, end, far]);
}

// Positions that were a guess have moved: what is seen does not.
function useShift(shift, height) {
	const was = useRef(shift);
	useLayoutEffect(() => {
		if (shift !== was.current)
			scrollBy(0, (shift - was.current) * height);
		was.current = shift;
	}, [shift]);
}

// Table - columns: [{ key, label, sort, class }]; row(item, index) gives the cells, one for each column.
// more() is called when the end of what is loaded comes near; loaded: how many things that is, where not each has a row. With jump(position) and a
// total the bar is that of the whole list: base, back and before() as usePages has them.
export function Table({ label, columns, rows, row, keyOf, classOf, sort, order, loaded = rows.length, total, base = 0, next, back, more, before, jump, shift = 0, loading, stale, kind, onRow }) {
	const body = useRef(null);
	const whole = Boolean(jump) && Number.isFinite(total) && total * rowHeight() < TALLEST;
	const lo = whole ? base : 0;
	const hi = lo + rows.length;
	const all = whole && next ? Math.max(total, hi + 1) : hi;
	const view = useWindow(body, all);
	useLoading(body, all, view, lo, hi, { next, back, loading: loading || stale, more, before, jump: whole && !stale && all > rows.length ? jump : null });
	useShift(shift, view.height);
	const move = (event) => {
		const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
		const at = event.target.closest?.('[data-index]');
		if (!step || !at || event.ctrlKey || event.metaKey || event.altKey || event.target.matches('input[type=text], input[type=search], select'))
			return;
		const index = Number(at.dataset.index) + step;
		const beside = body.current.querySelector(`[data-index="${index}"]`);
		if (!beside)
			return;
		event.preventDefault();
		beside.querySelector('a, button')?.focus({ preventScroll: true });
		beside.scrollIntoView({ block: 'nearest' });
	};
	const from = Math.min(Math.max(view.first, lo), hi);
	const to = Math.max(Math.min(view.end, hi), from);
	const space = (n) => html`<div class="space" role="presentation" style=${{ height: `${n * view.height}px` }}></div>`;
	return html`<div class=${`table ${kind} ${stale ? 'stale' : ''}`} role="table" aria-label=${label} aria-rowcount=${whole || !next ? all + 1 : -1} aria-busy=${Boolean(loading)}>
		<div class="head" role="rowgroup"><div class="row" role="row" aria-rowindex="1">
			${columns.map((column) => html`<div key=${column.key} class=${`cell ${column.class ?? ''}`} role="columnheader"
				aria-sort=${column.sort && column.sort === sort ? (order === 'asc' ? 'ascending' : 'descending') : undefined}>
				${column.sort ? html`<${SortButton} column=${column} sort=${sort} order=${order} />` : column.content ?? column.label}
			</div>`)}
		</div></div>
		<div class="body" role="rowgroup" ref=${body} onKeyDown=${move}>
			${space(from)}
			${rows.slice(from - lo, to - lo).map((item, offset) => html`<div key=${keyOf(item)} class=${`row ${classOf?.(item) ?? ''}`} role="row" data-index=${from + offset}
				aria-rowindex=${from + offset + 2} onClick=${onRow ? (event) => !event.target.closest('a, button, input, label') && onRow(item) : undefined}>
				${row(item, from + offset - lo).map((cell, i) => html`<div key=${columns[i].key} class=${`cell ${columns[i].class ?? ''}`} role="cell">${cell}</div>`)}
			</div>`)}
			${space(all - to)}
		</div>
		${loading && !rows.length ? html`<p class="busy loading">Loading…</p>` : null}
		<${Foot} shown=${rows.length > 0} where=${whole && all > rows.length ? view : null} all=${all} loaded=${loaded} total=${total} next=${next} loading=${loading} />
	</div>`;
}

// Foot - where one is in a long list, or how much of it there is. Only the end of a list is news for a screen reader.
function Foot({ shown, where, all, loaded, total, next, loading }) {
	if (!shown)
		return html`<div class="foot"></div>`;
	if (where)
		return html`<div class="foot"><span class="number">${count(Math.min(where.top + 1, all))}–${count(Math.min(where.bottom, all))} of ${count(all)}</span>${loading ? ', loading…' : ''}</div>`;
	return html`<div class="foot" aria-live="polite"><span>${next ? `${count(loaded)}${total ? ` of ${count(total)}` : ''} loaded${loading ? ', loading more…' : ''}` : `${count(loaded)} in all`}</span></div>`;
}

function SortButton({ column, sort, order }) {
	const now = column.sort === sort;
	const next = now ? (order === 'asc' ? 'desc' : 'asc') : column.first ?? 'desc';
	return html`<button class=${`sort ${now ? 'now' : ''}`} onClick=${() => refine({ sort: column.sort, order: next })}>
		${column.label}<${Icon} name=${(now ? order : next) === 'asc' ? 'up' : 'fall'} /></button>`;
}

// SortSelect - the same for a narrow screen, where the head of the table has no room
export const SortSelect = ({ options, sort, order }) => html`<label class="sort-select"><span class="hidden">Sort by</span>
	<select value=${`${sort} ${order}`} onChange=${(event) => {
		const [key, way] = event.target.value.split(' ');
		refine({ sort: key, order: way });
	}}>${options.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}</select></label>`;
