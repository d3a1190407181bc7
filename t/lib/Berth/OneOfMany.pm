# SPDX-License-Identifier: Apache-2.0
#
# Berth::OneOfMany: as Berth::PowerCut, for the end of one machine of several on a network file system, while its servers and all other machines go on.
#
#   my $fs = Berth::OneOfMany->new($snapshot);
#
# A change of names is a request that a server has answered: the others see it at once, and it stays. Bytes may be in the memory of the machine that wrote
# them until it flushes them: they are lost as those of a power cut are. So a name may be there for all others while its bytes are not.
package Berth::OneOfMany;

use strict;
use warnings;

use Berth::PowerCut;

our @ISA = ('Berth::PowerCut');

sub change
{
	my ($self, @o) = @_;

	$self->SUPER::change(@o);
	return $self->commit(map { 1 } @{ $self->{pending} });
}

1;
