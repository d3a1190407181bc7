# SPDX-License-Identifier: Apache-2.0
#
# Berth::OpenAPI: doc/openapi.yaml, and whether an answer is as it says. Knows as much of JSON Schema as that file uses.
package Berth::OpenAPI;

use strict;
use warnings;
use CPAN::Meta::YAML ();
use JSON::PP ();
use Berth::Test;

# read - the file
sub read
{
	my ($class) = @_;
	my $doc = CPAN::Meta::YAML->read_string(slurp(source_dir() . '/doc/openapi.yaml'))->[0];

	return bless { doc => $doc, seen => {} }, $class;
}

# operations - "GET /berth/v1/repos", ... with the names of parts in angle brackets, as the workers list them
sub operations
{
	my ($self) = @_;
	my $paths = $self->{doc}{paths};

	return map { my $p = $_; map { uc($_) . ' ' . $p =~ s/\{(\w+)\}/<$1>/gr } keys %{ $paths->{$p} } } keys %$paths;
}

sub resolved
{
	my ($self, $o) = @_;

	while (my $ref = $o->{'$ref'}) {
		$o = $self->{doc};
		for my $part (grep { $_ ne '#' } split m{/}, $ref) {
			$o = $o->{$part} // die "openapi.yaml has no $ref";
		}
	}
	return $o;
}

# operation - what the file says of a method and a path, as it stands there
sub operation { my ($self, $method, $path) = @_; return $self->{doc}{paths}{$path}{ lc $method } // die "openapi.yaml has no $method $path" }

# parameters - the names of those that a query may have
sub parameters
{
	my ($self, $method, $path) = @_;

	return map { $_->{name} } grep { $_->{in} eq 'query' } map { $self->resolved($_) } @{ $self->operation($method, $path)->{parameters} };
}

sub is_bool { return JSON::PP::is_bool($_[0]) }

# fault - what is wrong with a value by a schema; '' if nothing
sub fault
{
	my ($self, $schema, $v, $at) = @_;
	my $name = $schema->{'$ref'} // '';

	$schema = $self->resolved($schema);
	my $type = $schema->{type} // return '';
	if ($type eq 'object') {
		return "$at is no object" if ref $v ne 'HASH';
		my $props = $schema->{properties} // {};
		for (@{ $schema->{required} // [] }) {
			return "$at has no $_" if !exists $v->{$_};
		}
		for my $k (sort keys %$v) {
			my $of = $props->{$k} // (ref $schema->{additionalProperties} ? $schema->{additionalProperties} : return "$at has $k, of which nothing is said");
			$self->{seen}{"$name $k"} = 1 if $name;
			my $f = $self->fault($of, $v->{$k}, "$at.$k");
			return $f if $f;
		}
		return '';
	}
	if ($type eq 'array') {
		return "$at is no list" if ref $v ne 'ARRAY';
		for my $i (0 .. $#$v) {
			my $f = $self->fault($schema->{items}, $v->[$i], "$at\[$i]");
			return $f if $f;
		}
		return '';
	}
	return is_bool($v) ? '' : "$at is not true or false" if $type eq 'boolean';
	return "$at is no $type" if !defined $v || ref $v;
	return $v =~ /\A\d+\z/ && JSON::PP->new->allow_nonref->encode($v) !~ /"/ ? '' : "$at is no number" if $type eq 'integer';
	return "$at: '$v' is none of " . join(', ', @{ $schema->{enum} }) if $schema->{enum} && !grep { $_ eq $v } @{ $schema->{enum} };
	return "$at: '$v' is no time" if ($schema->{format} // '') eq 'date-time' && $v !~ /\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z\z/;
	return "$at: '$v' does not match $schema->{pattern}" if $schema->{pattern} && $v !~ /$schema->{pattern}/;
	return '';
}

# answer_fault - the same of an answer, which must have a status that the file names
sub answer_fault
{
	my ($self, $method, $path, $r) = @_;
	my $of = $self->operation($method, $path)->{responses}{ $r->status } // return "$method $path: nothing is said of " . $r->status;

	return $self->fault($of->{content}{'application/json'}{schema}, $r->json, "$method $path");
}

# unseen - members of objects that no value so far had: "Tag artifact_type"
sub unseen
{
	my ($self) = @_;
	my $schemas = $self->{doc}{components}{schemas};
	my @all = map { my $n = $_; map { "$n $_" } keys %{ $schemas->{$n}{properties} // {} } } keys %$schemas;

	return sort grep { my ($n, $k) = split / /; !$self->{seen}{"#/components/schemas/$n $k"} } @all;
}

1;
