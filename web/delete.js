// SPDX-License-Identifier: Apache-2.0
//
// delete: the dialog that shows what goes and what stays before it deletes, and bringing it back.
import { html, useState, useEffect, useRef } from './preact.js';
import { send, repoPath } from './api.js';
import { tell, forget } from './state.js';
import { count, plural, size } from './format.js';
import { Dialog, Name, Digest, said } from './parts.js';

const AT_ONCE = 1000;           // tags a request
const BACK_AT_ONCE = 100;
const PAGES = 100;

// pieces - what is asked for, in requests of at most AT_ONCE tags
function pieces(what) {
	if (what.filter)
		return [{ filter: what.filter }];
	const list = [];
	for (let i = 0; i < what.tags.length; i += AT_ONCE)
		list.push({ tags: what.tags.slice(i, i + AT_ONCE) });
	return list;
}

// plan - what a deletion would do: all answers of the dry runs together, and in parts those that have a token
async function plan(path, what, stopped) {
	const sum = { tags: [], stays: [], kept: [], frees: 0, unknown: false, stay: false, parts: [], more: false };
	for (const body of pieces(what)) {
		let after;
		for (let page = 0; page < PAGES; page++) {
			const one = await send('POST', path, { ...body, dry_run: true, ...(after ? { after } : {}) });
			if (stopped())
				return null;
			sum.tags.push(...(one.tags ?? []));
			sum.stays.push(...(one.stays ?? []));
			sum.kept.push(...(one.kept_content ?? []));
			sum.frees += one.frees ?? 0;
			sum.unknown ||= one.frees === undefined;
			sum.stay ||= one.untagged === false;
			if (one.token && one.tags?.length)
				sum.parts.push(one);
			after = one.next;
			if (!after)
				break;
			sum.more = page === PAGES - 1;
		}
	}
	// Each answer knows its own tags alone: together they free what two of them shared, too, and a tag that holds something may go itself.
	sum.unknown ||= sum.parts.length > 1;
	const going = new Set(sum.tags.map((one) => one.tag));
	sum.kept = sum.kept.filter((one) => !going.has(one.by));
	return sum;
}

// restore - bring tags back; says what came of it. True if all came back. tags: [{ tag, digest, expect }]; expect: what the tag has
// to be for that, null for absent, so that nothing that was pushed meanwhile is lost. unsure: the names of those that may not have gone.
export async function restore(repo, tags, unsure = new Set()) {
	const back = { restored: [], failed: [] };
	try {
		for (let i = 0; i < tags.length; i += BACK_AT_ONCE) {
			const one = await send('POST', repoPath(repo, 'tags:restore'), { tags: tags.slice(i, i + BACK_AT_ONCE) });
			back.restored.push(...(one.restored ?? []));
			back.failed.push(...(one.failed ?? []));
		}
	} catch (error) {
		tell(said(error));
		return false;
	} finally {
		forget();
	}
	if (back.restored.length)
		tell(back.restored.length === 1 ? `${back.restored[0].tag} is back.` : `${plural(back.restored.length, 'tag')} are back.`);
	for (const [list, what] of [[back.failed.filter((one) => !unsure.has(one.tag)), ''], [back.failed.filter((one) => unsure.has(one.tag)), 'had not gone, or ']])
		if (list.length)
			tell(`${plural(list.length, 'tag')} ${what}did not come back: ${list[0].tag}: ${list[0].why}`);
	return !back.failed.length;
}

const empty = (filter) => Object.values(filter).every((one) => one === undefined || one === '');

// FilterForm - which tags: a pattern, an age, how many of the newest stay
function FilterForm({ filter, onChange }) {
	const put = (member, value) => onChange({ ...filter, [member]: value === '' ? undefined : value });
	return html`<div class="filter-form">
		<label>Tags like <input type="text" data-focus="" value=${filter.pattern ?? ''} spellcheck=${false} autocapitalize="off" placeholder="pr-*" onInput=${(event) => put('pattern', event.target.value)} /></label>
		<label>older than <input type="text" inputmode="text" size="6" value=${filter.older_than ?? ''} placeholder="30d" onInput=${(event) => put('older_than', event.target.value.trim() || undefined)} /></label>
		<label>keep the newest <input type="number" min="0" max="100000" value=${filter.keep_newest ?? ''} placeholder="0"
			onInput=${(event) => put('keep_newest', event.target.value === '' ? undefined : Number(event.target.value))} /></label>
	</div>`;
}

// Frees - what collections free of it
function Frees({ made }) {
	if (!made.tags.length || (made.unknown && !made.frees))
		return null;
	const bytes = html`${made.unknown ? 'at least ' : ''}<b title=${`${count(made.frees)} bytes`}>${size(made.frees)}</b> of content`;
	if (made.frees && made.stay)
		return html`; ${bytes} that nothing needs then stays: collections here remove no manifest without a tag (their setting is <code>gc.untagged</code>)`;
	return made.frees ? html`, and ${bytes} with ${made.tags.length === 1 ? 'it' : 'them'}, once collections free it` :
		', and that frees nothing: other tags or repositories need the content';
}

const SHOWN = 200;
function Listed({ title, list, item, open }) {
	if (!list.length)
		return null;
	return html`<details class="listed" open=${open}><summary>${title}</summary><ul>
		${list.slice(0, SHOWN).map((one, i) => html`<li key=${i}>${item(one)}</li>`)}
		${list.length > SHOWN ? html`<li class="quiet">and ${count(list.length - SHOWN)} more</li>` : null}</ul></details>`;
}

// DeleteDialog - what: { tags } or { filter }. onClose(whether something was deleted)
export function DeleteDialog({ repo, what, may, undo, onClose, again }) {
	const [filter, setFilter] = useState(what.filter ?? null);
	const [state, setState] = useState({ plan: null, error: null, doing: 0 });
	const open = useRef(true);
	const begun = useRef(false);
	const path = repoPath(repo, 'tags:delete');
	useEffect(() => () => {
		open.current = false;
	}, []);
	useEffect(() => {
		let stopped = false;
		setState((old) => ({ ...old, error: null, looking: true }));
		if (filter && empty(filter)) {
			setState({ plan: null, error: null, doing: 0 });
			return undefined;
		}
		const timer = setTimeout(() => plan(path, filter ? { filter: Object.fromEntries(Object.entries(filter).filter(([, one]) => one !== undefined && one !== '')) } : what, () => stopped).then(
			(made) => !stopped && setState({ plan: made, error: null, doing: 0 }),
			(error) => !stopped && setState({ plan: null, error, doing: 0 })), filter === what.filter ? 0 : 350);
		return () => {
			stopped = true;
			clearTimeout(timer);
		};
	}, [filter]);
	const go = async () => {
		begun.current = true;
		const all = { deleted: [], changed: [], stays: [] };
		const digests = new Map(state.plan.tags.map((one) => [one.tag, one.digest]));
		let failed = null;
		let asked = [];
		setState((old) => ({ ...old, doing: 1 }));
		try {
			for (const { token, tags } of state.plan.parts) {
				asked = tags;
				let after;
				do {
					const one = await send('POST', path, { token, ...(after ? { after } : {}) });
					for (const member of ['deleted', 'changed', 'stays'])
						all[member].push(...(one[member] ?? []));
					after = one.next;
					if (open.current)
						setState((old) => ({ ...old, doing: 1 + all.deleted.length }));
				} while (after);
			}
		} catch (error) {
			failed = error;
		}
		forget();
		const told = new Set([...all.deleted, ...[...all.changed, ...all.stays].map((one) => one.tag ?? one)]);
		const unsure = failed?.unknown ? asked.map((one) => one.tag).filter((tag) => !told.has(tag)) : [];
		report(repo, all, unsure, digests, undo && may.includes('push'), again);
		if (!failed)
			onClose(true);
		else if (open.current)
			setState({ plan: null, error: failed, doing: 0 });
		else
			tell(said(failed));
	};
	const made = state.plan;
	const close = () => onClose(begun.current);
	return html`<${Dialog} title=${filter ? 'Clean up' : `Delete ${plural(what.tags.length, 'tag')}?`} onClose=${close}>
		<p class="where">from <${Name} class="strong">${repo}<//></p>
		${filter ? html`<${FilterForm} filter=${filter} onChange=${setFilter} />` : null}
		<div class="plan" aria-live="polite" aria-busy=${Boolean(state.looking)}>
		${state.error ? html`<p class="bad" role="alert">${state.error.unknown && !begun.current ? 'The registry does not answer; nothing was changed.' : said(state.error)}</p>` : !made ? html`<p class="busy">${filter && empty(filter) ? 'Say which tags.' : 'Looking what would go…'}</p>` : html`
			<p class="outcome"><b>${plural(made.tags.length, 'tag')}${made.more ? ' and more' : ''}</b> ${made.tags.length === 1 ? 'goes' : 'go'}<${Frees} made=${made} />.</p>
			<${Listed} title=${`${count(made.tags.length)} ${made.tags.length === 1 ? 'goes' : 'go'}`} list=${made.tags} open=${made.tags.length <= 12} item=${(one) => html`<${Name} class="code">${one.tag}<//> <span class="quiet"><${Digest} digest=${one.digest} /></span>`} />
			<${Listed} title=${`${count(made.stays.length)} ${made.stays.length === 1 ? 'stays' : 'stay'}`} list=${made.stays} open=${made.stays.length <= 6} item=${(one) => html`<${Name} class="code">${one.tag}<//>: <${Name}>${one.why}<//>`} />
			<${Listed} title=${`${plural(made.kept.length, 'image')} ${made.kept.length === 1 ? 'stays' : 'stay'} by another tag`} list=${made.kept} item=${(one) => html`<${Digest} digest=${one.digest} />, by <${Name} class="code">${one.by}<//>`} />
			<p class="hint">${undo ? 'It can be undone until the content is collected.' : 'It cannot be undone from here: this registry does not remember deleted tags (its setting is “undo”).'}</p>`}
		</div>
		<div class="dialog-foot"><button class="button" onClick=${close} data-focus=${filter ? undefined : ''}>Cancel</button>
			<button class="button danger" disabled=${!made?.tags.length || state.doing > 0 || state.looking} onClick=${go}>
				${state.doing ? `Deleting… ${count(state.doing - 1)} of ${count(made?.tags.length)}` : `Delete ${made?.tags.length ? plural(made.tags.length, 'tag') : ''}`}</button></div>
	<//>`;
}

// report - say what was deleted, with a way back
function report(repo, all, unsure, digests, mayUndo, again) {
	const { deleted, changed, stays } = all;
	const rest = [changed.length ? `${plural(changed.length, 'tag')} changed meanwhile and stayed` : '', stays.length ? `${plural(stays.length, 'tag')} stayed` : ''].filter(Boolean).join('; ');
	if (!deleted.length && !rest && !unsure.length)
		return;
	const named = (tags) => (tags.length === 1 ? tags[0] : plural(tags.length, 'tag'));
	const text = [deleted.length || rest ? `${named(deleted)} deleted` : '', unsure.length ? `${named(unsure)} may have gone` : '', rest].filter(Boolean).join('; ');
	const gone = [...deleted, ...unsure];
	const action = mayUndo && gone.length ? {
		label: 'Undo',
		run: async () => {
			await restore(repo, gone.map((tag) => ({ tag, ...(digests.has(tag) ? { digest: digests.get(tag) } : {}), expect: null })), new Set(unsure));
			again();
		},
	} : null;
	tell(`${text}.`, action);
}
