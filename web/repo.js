// SPDX-License-Identifier: Apache-2.0
//
// repo: one repository: its tags, what one of them is, selecting and deleting; and what was deleted or moved, to bring it back.
import { html, useState, useEffect, useRef } from './preact.js';
import { repoPath } from './api.js';
import { usePages, useTyped, toRepo, toImage, to, go } from './state.js';
import { inFilter } from './names.js';
import { count, plural, commands, dockerNeeds, kind, isIndex } from './format.js';
import { Filter, Name, Code, Size, Time, Digest, Badge, Icon, Failed, Crumbs, repoCrumbs, Commands, Copy } from './parts.js';
import { Table, SortSelect } from './table.js';
import { DeleteDialog, restore } from './delete.js';

const SORTS = [['pushed desc', 'Last push'], ['name asc', 'Name'], ['version desc', 'Version'], ['size desc', 'Largest']];
const columnsOf = (choose) => [
	...(choose ? [{ key: 'choose', content: choose, class: 'choose' }] : []),
	{ key: 'tag', label: 'Tag', sort: 'name', first: 'asc', class: 'main' },
	{ key: 'digest', label: 'Digest', class: 'digest' },
	{ key: 'platforms', label: 'Platform', class: 'platforms' },
	{ key: 'size', label: 'Size', sort: 'size', class: 'right size' },
	{ key: 'pushed', label: 'Pushed', sort: 'pushed', class: 'right time' },
	{ key: 'by', label: 'By', class: 'by' },
];

export function Supplements({ tag }) {
	return html`${tag.immutable ? html`<${Badge} tone="steady" title="a rule keeps this tag from being moved or deleted">immutable<//>` : null}
		${tag.signatures ? html`<${Badge} tone="good" title=${plural(tag.signatures, 'signature')}>signed<//>` : null}
		${tag.sboms ? html`<${Badge} title=${plural(tag.sboms, 'SBOM')}>SBOM<//>` : null}
		${tag.attestations ? html`<${Badge} title=${plural(tag.attestations, 'attestation')}>attested<//>` : null}`;
}

// platformText - what fits into the column: the system is said once if it is the same one
const platformText = (tag) => {
	const list = tag.platforms ?? [];
	if (!list.length)
		return kind(tag);
	const [system] = list[0].split('/');
	const same = list.every((one) => one.startsWith(`${system}/`));
	return list.length > 2 ? `${list[0]} +${list.length - 1}` : list.map((one, i) => (same && i ? one.slice(system.length + 1) : one)).join(', ');
};

function tagCells(repo, tag, chosen, choose) {
	return [
		...(choose ? [html`<label class="check"><input type="checkbox" checked=${chosen.has(tag.tag)} onClick=${(event) => choose(tag, event.shiftKey)}
			aria-label=${`select ${tag.tag}`} /></label>`] : []),
		html`<a class="tag-name" href=${toImage(repo, tag.tag)} title=${tag.tag}><${Name} class="strong code">${tag.tag}<//></a><span class="marks"><${Supplements} tag=${tag} /></span>`,
		html`<${Digest} digest=${tag.digest} />`,
		html`<span title=${(tag.platforms ?? []).join(', ')}><${Name} class="cut">${platformText(tag)}<//></span>`,
		html`<${Size} bytes=${tag.bytes} />`,
		html`<${Time} at=${tag.pushed} />`,
		tag.by ? html`<${Name} class="cut">${tag.by}<//>` : '',
	];
}

// Pane - what one tag is, beside the list: from what the list has, without a request
function Pane({ repo, tag }) {
	if (!tag)
		return html`<aside class="pane" aria-label="details"></aside>`;
	return html`<aside class="pane" aria-label=${`details of ${tag.tag}`}>
		<h2><a href=${toImage(repo, tag.tag)}><${Name} class="code">${tag.tag}<//></a></h2>
		<p class="marks"><${Badge}>${kind(tag)}<//><${Supplements} tag=${tag} /></p>
		<${Commands} list=${commands(tag, repo, tag.tag)} note=${dockerNeeds()} />
		<dl class="facts">
			<dt>Digest</dt><dd class="with-copy"><span class="code" data-copy>${tag.digest}</span><${Copy} text=${tag.digest} what="digest" /></dd>
			<dt>Size</dt><dd><${Size} bytes=${tag.bytes} />${isIndex(tag) ? html` <span class="quiet">of all platforms here</span>` : null}</dd>
			${tag.platforms?.length ? html`<dt>Platforms</dt><dd>${tag.platforms.map((one) => html`<${Badge} key=${one}><${Name}>${one}<//><//>`)}</dd>` : null}
			<dt>Pushed</dt><dd><${Time} at=${tag.pushed} />${tag.by ? html` by <${Name}>${tag.by}<//>` : null}</dd>
			${tag.pulled ? html`<dt>Last pull</dt><dd><${Time} at=${tag.pulled} /></dd>` : null}
			${tag.created ? html`<dt>Built</dt><dd><${Time} at=${tag.created} /></dd>` : null}
		</dl>
		<a class="button" href=${toImage(repo, tag.tag)}>Layers, history, referrers</a>
	</aside>`;
}

const wide = () => matchMedia('(min-width: 1180px)').matches;

export function Repo({ name, query, who }) {
	const sort = query.sort ?? 'pushed';
	const order = query.order ?? 'desc';
	const [text, type] = useTyped('q', query.q ?? '');
	const list = usePages(repoPath(name, 'tags'), { q: query.q, sort, order, n: 100 }, 'tags');
	const [chosen, setChosen] = useState(() => new Map());
	const [deleting, setDeleting] = useState(null);
	const [shown, setShown] = useState(null);
	const lastChosen = useRef('');
	useEffect(() => setChosen(new Map()), [query.q]);
	const may = list.head?.may ?? [];
	const mayDelete = may.includes('delete');
	// One tag; with the shift key all from the one before to this one, as this one becomes.
	const choose = (tag, many) => {
		const [from, to] = [list.rows.findIndex((one) => one.tag === lastChosen.current), list.rows.indexOf(tag)].sort((a, b) => a - b);
		const range = many && from >= 0 ? list.rows.slice(from, to + 1) : [tag];
		lastChosen.current = tag.tag;
		setChosen((old) => {
			const next = new Map(old);
			for (const one of range) {
				if (old.has(tag.tag))
					next.delete(one.tag);
				else
					next.set(one.tag, one);
			}
			return next;
		});
	};
	const can = list.rows.filter((tag) => !tag.immutable);
	const all = can.length > 0 && can.every((tag) => chosen.has(tag.tag));
	const chooseAll = html`<label class="check"><input type="checkbox" checked=${all} disabled=${!can.length} aria-label="select all loaded tags"
		onChange=${() => setChosen(all ? new Map() : new Map(can.map((tag) => [tag.tag, tag])))} /></label>`;
	const done = (changed) => {
		setDeleting(null);
		if (changed) {
			setChosen(new Map());
			list.again();
		}
	};
	const total = list.head?.total;
	const like = inFilter(query.q ?? '') ? `*${query.q}*` : '';
	// What stands beside the list stays there when the list goes on without it.
	const beside = useRef(null);
	const within = list.base > 0 ? beside.current : null;
	const pane = list.rows.find((tag) => tag.tag === (shown ?? within?.tag)) ?? within ?? list.rows[0];
	beside.current = pane;
	const head = html`<${Crumbs} path=${[...repoCrumbs(name), { text: name.split('/').at(-1) }]} />
		<div class="bar">
			<h1 tabindex="-1"><${Name}>${name}<//></h1><${Copy} text=${`${location.host}/${name}`} what="name" /><span class="total">${total === undefined ? '' : plural(total, 'tag')}</span>
			<span class="stretch"></span>
			<${Filter} label="filter tags" value=${text} onInput=${type} placeholder="Filter tags" />
			<${SortSelect} options=${SORTS} sort=${sort} order=${order} />
			${mayDelete ? html`<button class="button" onClick=${() => setDeleting({ filter: { pattern: like } })}>Clean up…</button>` : null}
			${who?.undo ? html`<a class="button" href=${to('deleted', name)}>Deleted</a>` : null}
		</div>`;
	if (list.error)
		return html`${head}<${Failed} error=${list.error} again=${list.again} who=${who} />`;
	return html`${head}
		${chosen.size ? html`<div class="chosen" role="region" aria-label="selection"><span aria-live="polite">${plural(chosen.size, 'tag')} selected</span>
			${list.next && all && (like || !query.q) ? html`<button class="link" onClick=${() => setDeleting({ filter: { pattern: like || '*' } })}>
				all ${count(total)}${query.q ? ' that match' : ''} instead</button>` : null}
			<span class="stretch"></span><button class="button" onClick=${() => setChosen(new Map())}>Clear</button>
			<button class="button danger" onClick=${() => setDeleting({ tags: [...chosen.keys()] })}><${Icon} name="bin" />Delete…</button></div>` : null}
		${list.rows.length || list.loading ? html`<div class="beside">
			<${Table} label=${`tags of ${name}`} kind=${mayDelete ? 'tag-list may-choose' : 'tag-list'} columns=${columnsOf(mayDelete ? chooseAll : null)} rows=${list.rows} sort=${sort} order=${order}
				total=${total} base=${list.base} next=${list.next} back=${list.back} more=${list.more} before=${list.before} jump=${list.jump} shift=${list.shift} loading=${list.loading} stale=${list.stale} keyOf=${(tag) => tag.tag}
				classOf=${(tag) => (tag.tag === pane?.tag ? 'here' : '') + (chosen.has(tag.tag) ? ' picked' : '')}
				onRow=${(tag) => (wide() ? setShown(tag.tag) : go(toImage(name, tag.tag)))} row=${(tag) => tagCells(name, tag, chosen, mayDelete ? choose : null)} />
			<${Pane} repo=${name} tag=${pane} /></div>` :
		html`<div class="empty"><h2>${query.q ? 'No tag matches' : 'No tags'}</h2>
			<p>${query.q ? html`No tag here has <${Code}>${query.q}<//> in its name.` : html`The repository is here; its last tag is gone. Collections remove manifests without a tag where <code>gc.untagged</code> or a rule says so.`}</p>
			<p>${query.q ? html`<button class="button" onClick=${() => type('')}>Show all</button>` : who?.undo ? html`<a class="button" href=${to('deleted', name)}>What was deleted</a>` : null}</p></div>`}
		${deleting ? html`<${DeleteDialog} repo=${name} what=${deleting} may=${may} onClose=${done} undo=${who?.undo} again=${list.again} />` : null}`;
}

// --- what was deleted or moved

const GONE = [
	{ key: 'tag', label: 'Tag', class: 'main' },
	{ key: 'was', label: 'What happened', class: 'was' },
	{ key: 'digest', label: 'It was', class: 'digest' },
	{ key: 'at', label: 'When', class: 'right time' },
	{ key: 'back', label: '', content: html`<span class="hidden">bring back</span>`, class: 'right back' },
];

export function Deleted({ name, who }) {
	const list = usePages(repoPath(name, 'deleted'), { n: 100 }, 'deleted');
	const [busy, setBusy] = useState('');
	const back = async (gone) => {
		setBusy(`${gone.tag} ${gone.at}`);
		await restore(name, [{ tag: gone.tag, digest: gone.digest, ...(gone.was === 'moved' ? {} : { expect: null }) }]);
		setBusy('');
		list.again();
	};
	const mayRestore = Boolean(list.head?.may?.includes('push'));
	const head = html`<${Crumbs} path=${[...repoCrumbs(name), { text: name.split('/').at(-1), href: toRepo(name) }, { text: 'deleted' }]} />
		<div class="bar"><h1 tabindex="-1">Deleted from <${Name}>${name}<//></h1></div>`;
	if (list.error)
		return html`${head}<${Failed} error=${list.error} again=${list.again} who=${who} />`;
	if (!list.loading && !list.rows.length)
		return html`${head}<div class="empty"><h2>Nothing to bring back</h2><p>A tag that is deleted or moved is listed here until its content is collected.</p>
			<p><a class="button" href=${toRepo(name)}>The tags</a></p></div>`;
	return html`${head}<${Table} label="deleted tags" kind="gone" columns=${GONE} rows=${list.rows} next=${list.next} more=${list.more} loading=${list.loading} stale=${list.stale}
		keyOf=${(gone) => `${gone.tag} ${gone.at} ${gone.digest}`}
		row=${(gone) => [
			gone.tag ? html`<${Name} class="strong code">${gone.tag}<//>` : html`<span class="quiet">a manifest without a tag</span>`,
			html`${gone.was === 'moved' ? 'moved' : 'deleted'}${gone.by ? html`<span class="by"> by <${Name}>${gone.by}<//></span>` : null}`,
			html`<a href=${toImage(name, gone.digest)}><${Digest} digest=${gone.digest} /></a>`,
			html`<${Time} at=${gone.at} />`,
			mayRestore && gone.tag ? html`<button class="button small" disabled=${busy !== ''} onClick=${() => back(gone)} aria-label=${`bring back ${gone.tag}`}><${Icon} name="back" />Bring back</button>` : '',
		]} />`;
}
