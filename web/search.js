// SPDX-License-Identifier: Apache-2.0
//
// search: the field in the head: repositories, tags and digests while one types.
import { html, useState, useEffect, useRef } from './preact.js';
import { get } from './api.js';
import { go, toRepo, toImage, to } from './state.js';
import { plural, short } from './format.js';
import { Name, Icon } from './parts.js';

function found(answer) {
	return [
		...(answer.repos ?? []).map((repo) => ({ kind: 'repository', href: toRepo(repo.name), text: repo.name, note: plural(repo.tags ?? 0, 'tag') })),
		...(answer.tags ?? []).map((tag) => ({ kind: 'tag', href: toImage(tag.repo, tag.tag), text: `${tag.repo}:${tag.tag}`, note: '' })),
		...(answer.digests ?? []).map((one) => ({ kind: 'digest', href: toImage(one.repo, one.digest), text: `${one.repo}@${short(one.digest)}`, note: '' })),
	];
}

export function Search() {
	const [text, setText] = useState('');
	const [list, setList] = useState(null);
	const [at, setAt] = useState(-1);
	const [open, setOpen] = useState(false);
	const field = useRef(null);
	const query = text.trim();
	useEffect(() => {
		if (!query) {
			setList(null);
			return undefined;
		}
		const control = new AbortController();
		const timer = setTimeout(() => get('search', { q: query }, control.signal).then((answer) => {
			setList({ rows: found(answer), query });
			setAt(-1);
		}, (error) => {
			if (!control.signal.aborted)
				setList({ rows: [], query, error });
		}), 180);
		return () => {
			clearTimeout(timer);
			control.abort();
		};
	}, [query]);
	useEffect(() => {
		const key = (event) => {
			if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || event.target.matches('input, textarea, select') || document.querySelector('dialog[open]'))
				return;
			event.preventDefault();
			field.current.focus();
			field.current.select();
		};
		addEventListener('keydown', key);
		return () => removeEventListener('keydown', key);
	}, []);
	const leave = (address) => {
		setOpen(false);
		setText('');
		field.current.blur();
		go(address);
	};
	const rows = list?.rows ?? [];
	const keys = (event) => {
		const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
		if (step && rows.length) {
			event.preventDefault();
			setAt((old) => (old + step + rows.length + (old < 0 && step < 0 ? 1 : 0)) % rows.length);
		} else if (event.key === 'Enter') {
			if (rows[at])
				leave(rows[at].href);
			else if (query)
				leave(to('', '', { q: query }));
		} else if (event.key === 'Escape') {
			setOpen(false);
			field.current.blur();
		}
	};
	const shown = open && list && query;
	return html`<div class="search" role="search" onFocusOut=${(event) => !event.currentTarget.contains(event.relatedTarget) && setOpen(false)}>
		<label><span class="hidden">search repositories, tags and digests</span><${Icon} name="search" />
		<input ref=${field} type="search" role="combobox" aria-expanded=${Boolean(shown)} aria-controls="found" aria-autocomplete="list" aria-activedescendant=${at >= 0 && shown ? `found-${at}` : undefined}
			placeholder="Search" value=${text} spellcheck=${false} autocomplete="off" autocapitalize="off" maxlength="256" onFocus=${() => setOpen(true)}
			onInput=${(event) => {
				setText(event.target.value);
				setOpen(true);
			}} onKeyDown=${keys} /><kbd aria-hidden="true">/</kbd></label>
		<span class="hidden" role="status">${shown && !list.error && rows.length ? `${rows.length} found` : ''}</span>
		<ul id="found" class="found" role="listbox" aria-label="found" hidden=${!shown}>
			${shown ? rows.map((row, i) => html`<li key=${row.href} id=${`found-${i}`} role="option" aria-selected=${i === at} onMouseDown=${(event) => event.preventDefault()} onClick=${() => leave(row.href)}>
				<span class="found-kind">${row.kind}</span><${Name} class="cut">${row.text}<//><span class="quiet">${row.note}</span></li>`) : null}
			${shown && !rows.length ? html`<li class="quiet" role="option" aria-selected="false" aria-disabled="true">${list.error ? 'The search failed.' : 'Nothing found.'}</li>` : null}
		</ul></div>`;
}
