// SPDX-License-Identifier: Apache-2.0
//
// format: sizes, times, names of kinds and commands, as text. No elements, no requests.

// size - as docker says it: powers of 1000, three digits ("4.43MB")
export function size(bytes) {
	if (typeof bytes !== 'number')
		return '';
	const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
	let value = bytes;
	let unit = 0;
	while (unit < units.length - 1 && Number(value.toPrecision(3)) >= 1000) {
		value /= 1000;
		unit++;
	}
	return `${Number(value.toPrecision(3))}${units[unit]}`;
}

const grouped = new Intl.NumberFormat('en');
export const count = (n) => (typeof n === 'number' ? grouped.format(n) : '');
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

const two = (n) => String(n).padStart(2, '0');
const day = (t) => `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`;
const clock = (t) => `${two(t.getHours())}:${two(t.getMinutes())}`;
const zone = new Intl.DateTimeFormat('en', { timeZoneName: 'short' });

// when - a time as it is shown: near ones by their distance, others by their date, in the reader's zone
export function when(text, now = Date.now()) {
	const t = new Date(text);
	if (Number.isNaN(t.getTime()))
		return '';
	const ahead = t - now;
	const seconds = Math.abs(ahead) / 1000;
	const say = (n, unit) => (ahead > 0 ? `in ${n} ${unit}` : `${n} ${unit} ago`);
	if (seconds < 50)
		return ahead > 5000 ? 'in a moment' : 'just now';
	if (seconds < 3570)
		return say(Math.round(seconds / 60), 'min');
	if (seconds < 86400)
		return say(Math.round(seconds / 3600), 'h');
	if (seconds < 7 * 86400)
		return say(Math.round(seconds / 86400), seconds < 1.5 * 86400 ? 'day' : 'days');
	return day(t);
}

// exact - the same time to the second, with the zone
export function exact(text) {
	const t = new Date(text);
	if (Number.isNaN(t.getTime()))
		return '';
	const name = zone.formatToParts(t).find((part) => part.type === 'timeZoneName')?.value ?? '';
	return `${day(t)} ${clock(t)}:${two(t.getSeconds())} ${name}`;
}
export const dayOf = (text) => day(new Date(text));
export const clockOf = (text) => clock(new Date(text));

// short - a digest as a person compares it
export function short(digest) {
	const [kind, hex] = String(digest ?? '').split(':');
	return hex ? `${kind === 'sha256' ? '' : `${kind}:`}${hex.slice(0, 12)}` : String(digest ?? '');
}

const INDEX = ['application/vnd.oci.image.index.v1+json', 'application/vnd.docker.distribution.manifest.list.v2+json'];
const CONFIGS = ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json'];
const HELM = 'application/vnd.cncf.helm.config.v1+json';
export const isIndex = (x) => INDEX.includes(x.media_type);
const isArtifact = (x) => Boolean(x.artifact_type) && !CONFIGS.includes(x.artifact_type);

// kind - what a manifest is, in a word or two
export function kind(x) {
	const type = String(x.artifact_type ?? '');
	if (x.kind === 'sbom' || /spdx|cyclonedx/.test(type))
		return 'SBOM';
	if (x.kind === 'signature' || /signature|cosign.*sig/.test(type))
		return 'signature';
	if (x.kind === 'attestation' || /in-toto|attestation|dsse|sigstore\.bundle/.test(type))
		return 'attestation';
	if (type === HELM)
		return 'Helm chart';
	if (isArtifact(x))
		return 'artifact';
	return isIndex(x) ? 'multi-platform' : 'image';
}

const local = /^(localhost|127\.[0-9.]+|\[::1\])(:|$)/;
export const registryName = () => location.host;
const plainHttp = () => location.protocol === 'http:';

// commands - how to pull it: [{ tool, line }], by what its media type wants
export function commands(x, repo, tag) {
	const name = `${registryName()}/${repo}`;
	const ref = tag ? `${name}:${tag}` : `${name}@${x.digest}`;
	const plain = plainHttp() ? '--plain-http ' : '';
	if (x.artifact_type === HELM)
		return [{ tool: 'helm', line: tag ? `helm pull ${plain}oci://${name} --version ${tag.replace(/_/g, '+')}` : `helm pull ${plain}oci://${ref}` }];
	if (isArtifact(x))
		return [{ tool: 'oras', line: `oras pull ${plain}${ref}` }];
	return [
		{ tool: 'docker', line: `docker pull ${ref}` },
		{ tool: 'podman', line: `podman pull ${plainHttp() ? '--tls-verify=false ' : ''}${ref}` },
		{ tool: 'containerd', line: `ctr images pull ${plain}${ref}` },
	];
}

// dockerNeeds - what docker has to be told about this registry before it pulls, or ''
export function dockerNeeds() {
	return plainHttp() && !local.test(location.host) ? `This registry speaks plain HTTP: docker pulls from it where "insecure-registries" in daemon.json has "${location.host}".` : '';
}

// walk - the lines that put a first image into an empty registry
export function walk() {
	const host = registryName();
	return ['docker pull busybox', `docker tag busybox ${host}/busybox:1.0`, `docker push ${host}/busybox:1.0`];
}
