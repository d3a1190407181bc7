// SPDX-License-Identifier: Apache-2.0
//
// image: one manifest: platforms, layers and history, config, what refers to it, where else it is.
import { html } from './preact.js';
import { repoPath } from './api.js';
import { useAnswer, toRepo, toImage } from './state.js';
import { split, isDigest } from './names.js';
import { count, plural, commands, dockerNeeds, kind, isIndex, size } from './format.js';
import { Name, Code, Long, Size, Time, Digest, Badge, Failed, Crumbs, repoCrumbs, Commands, Copy } from './parts.js';

const More = ({ image, list }) => (image.more?.[list] ?
	html`<p class="hint">There are more than are listed here.</p>` : null);
const Gone = ({ here }) => (here === false ? html`<${Badge} tone="warn" title="its content is not in this registry">not here<//>` : null);

const Section = ({ title, total, children, id }) => html`<section aria-labelledby=${id}><h2 id=${id}>${title}${total === undefined ? null : html` <span class="total">${count(total)}</span>`}</h2>${children}</section>`;

function Platforms({ image, repo }) {
	const list = image.manifests ?? [];
	if (!isIndex(image) && !list.length)
		return null;
	return html`<${Section} id="platforms" title="Platforms" total=${list.length}>
		<table class="plain" aria-labelledby="platforms"><thead><tr><th>Platform</th><th>Digest</th><th class="right">Size</th></tr></thead><tbody>
		${list.map((one) => html`<tr key=${one.digest}><td>${one.here === false ? html`<${Name}>${one.platform ?? 'unknown'}<//>` :
			html`<a href=${toImage(repo, one.digest)}><${Name}>${one.attests ? 'attestation' : one.platform || kind(one)}<//></a>${one.attests ? html` <span class="quiet">of <${Digest} digest=${one.attests} /></span>` : null}`} <${Gone} here=${one.here} /></td><td><${Digest} digest=${one.digest} /></td>
			<td class="right"><${Size} bytes=${one.bytes} /></td></tr>`)}</tbody></table><${More} image=${image} list="manifests" /><//>`;
}

// made - a line of the history without what every line has
const made = (text) => String(text ?? '').replace(/^\/bin\/sh -c #\(nop\)\s+/, '').replace(/^(RUN )?\/bin\/sh -c /, 'RUN ').replace(/\s+# buildkit$/, '');

function Layers({ image }) {
	const list = image.layers ?? [];
	if (!list.length)
		return null;
	const largest = Math.max(1, ...list.map((layer) => layer.bytes ?? 0));
	const history = list.some((layer) => layer.made_by);
	return html`<${Section} id="layers" title=${history ? 'Layers and history' : 'Layers'} total=${list.length}>
		<ol class="layers">${list.map((layer, i) => html`<li key=${i}>
			<span class="layer-size"><${Size} bytes=${layer.bytes} /></span>
			<span class="meter" aria-hidden="true"><span style=${{ width: `${Math.max(1, (100 * (layer.bytes ?? 0)) / largest)}%` }}></span></span>
			<div class="layer-what">${layer.made_by ? html`<div class="made"><${Long} text=${made(layer.made_by)} at=${300} /></div>` : null}
				<div class="quiet"><${Digest} digest=${layer.digest} /> <${Name} class="cut">${layer.media_type}<//> <${Gone} here=${layer.here} /></div></div></li>`)}</ol>
		<${More} image=${image} list="layers" /><//>`;
}

const Pairs = ({ pairs }) => html`<dl class="pairs">${Object.entries(pairs).map(([key, value]) => html`<dt key=${`k${key}`}><${Long} text=${key} at=${120} /></dt>
	<dd key=${`v${key}`}><${Long} text=${typeof value === 'string' ? value : JSON.stringify(value)} /></dd>`)}</dl>`;

const some = (map) => map && Object.keys(map).length > 0;
const words = (list) => (Array.isArray(list) ? list.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(' ') : String(list ?? ''));

function Config({ image }) {
	const config = image.config ?? {};
	const facts = [['Entrypoint', words(config.entrypoint)], ['Command', words(config.cmd)], ['User', config.user], ['Directory', config.workdir],
		['Ports', (config.ports ?? []).join(', ')], ['Variables', (config.env ?? []).join(', ')]].filter(([, value]) => value);
	return html`${facts.length ? html`<${Section} id="config" title="Config"><dl class="pairs">${facts.map(([key, value]) => html`<dt key=${`k${key}`}>${key}</dt>
		<dd key=${`v${key}`} class="code"><${Long} text=${value} /></dd>`)}</dl><//>` : null}
		${some(config.labels) ? html`<${Section} id="labels" title="Labels" total=${Object.keys(config.labels).length}><${Pairs} pairs=${config.labels} /><//>` : null}
		${some(image.annotations) ? html`<${Section} id="annotations" title="Annotations" total=${Object.keys(image.annotations).length}><${Pairs} pairs=${image.annotations} /><//>` : null}`;
}

// What refers to it, and what refers to that: a signature of an SBOM stands below the SBOM.
const ReferrerList = ({ list, repo }) => html`<ul class="referrers">${list.map((one) => html`<li key=${one.digest}>
	<div><${Badge} tone=${kind(one) === 'signature' ? 'good' : ''}>${kind(one)}<//> <a href=${toImage(repo, one.digest)}><${Digest} digest=${one.digest} /></a>
		<span class="quiet"><${Name} class="cut">${one.artifact_type}<//></span></div>
	${one.summary ? html`<p class="summary"><${Long} text=${one.summary} at=${200} /></p>` : null}
	${some(one.annotations) ? html`<details><summary>${plural(Object.keys(one.annotations).length, 'annotation')}</summary><${Pairs} pairs=${one.annotations} /></details>` : null}
	${one.referrers?.length ? html`<${ReferrerList} list=${one.referrers} repo=${repo} />` : null}</li>`)}</ul>`;

function Referrers({ image, repo }) {
	const list = image.referrers ?? [];
	return list.length ? html`<${Section} id="referrers" title="Referrers" total=${list.length}><${ReferrerList} list=${list} repo=${repo} />
		<p class="hint">Signatures are listed, not verified.</p><${More} image=${image} list="referrers" /><//>` : null;
}

function Elsewhere({ image, repo, shown }) {
	const tags = (image.tags ?? []).filter((tag) => tag !== shown);
	const held = image.in ?? [];
	if (!tags.length && !held.length)
		return null;
	return html`<${Section} id="elsewhere" title="Where else it is"><ul class="plain-list">
		${tags.length ? html`<li><span class="quiet">tagged</span> ${tags.map((tag) => html`<a key=${tag} class="chip" href=${toImage(repo, tag)}><${Name} class="code">${tag}<//></a>`)}</li>` : null}
		${held.map((one) => html`<li key=${one.digest}><span class="quiet">in</span> <a href=${toImage(repo, one.digest)}><${Digest} digest=${one.digest} /></a>
			${(one.tags ?? []).map((tag) => html`<a key=${tag} class="chip" href=${toImage(repo, tag)}><${Name} class="code">${tag}<//></a>`)}</li>`)}
		</ul><${More} image=${image} list="in" /><//>`;
}

export function Image({ name, who }) {
	const [repo, ref] = split(name);
	const { value: image, error, loading, again } = useAnswer(repoPath(repo, `manifests/${encodeURIComponent(isDigest(ref) ? ref : `tag:${ref}`)}`));
	const byDigest = isDigest(ref);
	const head = html`<${Crumbs} path=${[...repoCrumbs(repo), { text: repo.split('/').at(-1), href: toRepo(repo) }, { text: byDigest ? `${ref.slice(0, 19)}…` : ref }]} />`;
	const title = html`<h1 tabindex="-1"><${Name} class="quiet">${repo}<//><span class="quiet">${byDigest ? '@' : ':'}</span><${Name}>${byDigest ? `${ref.slice(0, 19)}…` : ref}<//></h1>`;
	if (error)
		return html`${head}<div class="bar">${title}</div><${Failed} error=${error} again=${again} who=${who} />`;
	if (!image)
		return html`${head}<div class="bar">${title}</div><p class="busy" aria-live="polite">${loading ? 'Loading…' : ''}</p>`;
	const layers = (image.layers ?? []).length;
	return html`${head}<div class="bar">${title}</div>
		<p class="marks lead"><${Badge} tone="steady">${kind(image)}<//>${image.platform ? html`<${Badge}><${Name}>${image.platform}<//><//>` : null}
			${(image.tags ?? []).slice(0, 12).map((tag) => html`<a key=${tag} class=${`chip ${tag === ref ? 'now' : ''}`} href=${toImage(repo, tag)}><${Name} class="code">${tag}<//></a>`)}</p>
		<div class="beside">
			<div class="main-column">
				<${Platforms} image=${image} repo=${repo} /><${Layers} image=${image} /><${Config} image=${image} />
				<${Referrers} image=${image} repo=${repo} /><${Elsewhere} image=${image} repo=${repo} shown=${ref} />
			</div>
			<aside class="pane" aria-label="details">
				<h2>Pull</h2>
				<${Commands} list=${commands(image, repo, byDigest ? '' : ref)} note=${dockerNeeds()} />
				<dl class="facts">
					<dt>Digest</dt><dd class="with-copy"><span class="code" data-copy>${image.digest}</span><${Copy} text=${image.digest} what="digest" /></dd>
					<dt>Size</dt><dd><${Size} bytes=${image.bytes} /> <span class="quiet">${isIndex(image) ? 'of all platforms here' : layers ? `in ${plural(layers, 'layer')}` : ''}</span></dd>
					<dt>Manifest</dt><dd>${typeof image.size === 'number' ? size(image.size) : ''} <${Code} class="small">${image.media_type}<//></dd>
					${image.artifact_type ? html`<dt>Artifact type</dt><dd><${Code} class="small">${image.artifact_type}<//></dd>` : null}
					${image.created ? html`<dt>Built</dt><dd><${Time} at=${image.created} /></dd>` : null}
					${image.pushed ? html`<dt>Pushed</dt><dd><${Time} at=${image.pushed} /></dd>` : null}
					${image.pulled ? html`<dt>Last pull</dt><dd><${Time} at=${image.pulled} /></dd>` : null}
					${image.subject ? html`<dt>Refers to</dt><dd><a href=${toImage(repo, image.subject)}><${Digest} digest=${image.subject} /></a></dd>` : null}
				</dl>
			</aside>
		</div>`;
}
