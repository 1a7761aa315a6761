#!/usr/bin/perl
# A message centre made of Perl's Net::SMPP; takes commands and tells events as smsc.cjs does.
use strict;
use warnings;
use IO::Select;
use JSON::PP;
use Net::SMPP;
use Socket qw(SOL_SOCKET SO_LINGER);

$| = 1;
$SIG{PIPE} = 'IGNORE';    # who has just gone is noticed when nothing more can be read
my %settings = (password => 'secret', silent => 0, window => 10, throttle => 0);
my (@queue, %waiting, $session, $bound, $ids);

sub say_event { print encode_json({@_}), "\n" }

sub pump {
    while ($session && $bound && @queue && keys(%waiting) < $settings{window}) {
        my $item = shift @queue;
        my @tlvs = map { ($_ => pack('H*', $item->{tlvs}{$_})) } keys %{ $item->{tlvs} || {} };
        my $seq = $session->deliver_sm(
            async            => 1,
            source_addr_ton  => $item->{ton} || 0,
            source_addr_npi  => 1,
            source_addr      => $item->{source} // '',
            dest_addr_ton    => 0,
            dest_addr_npi    => 1,
            destination_addr => $item->{destination} // '106912345',
            esm_class        => $item->{esm} || 0,
            data_coding      => $item->{coding} || 0,
            short_message    => pack('H*', $item->{hex} // ''),
            @tlvs,
        );
        if (!defined $seq) {
            unshift @queue, $item;
            return;
        }
        $waiting{$seq} = $item;
    }
}

sub lost {
    unshift @queue, values %waiting;
    %waiting = ();
    ($session, $bound) = (undef, 0);
    say_event(event => 'closed');
}

sub answered {
    my ($pdu) = @_;
    my $item = delete $waiting{ $pdu->{seq} } or return;
    say_event(event => 'answered', id => $item->{id}, status => $pdu->{status});
    push @queue, $item if $pdu->{status};
    pump();
}

sub handle {
    my ($pdu) = @_;
    my $cmd = $pdu->{cmd};
    if ($cmd == 0x09) {
        say_event(event => 'bind', user => $pdu->{system_id});
        my $right = $pdu->{password} eq $settings{password};
        $session->bind_transceiver_resp(
            system_id => 'perl', seq => $pdu->{seq}, status => $right ? 0 : 0x0e);
        $bound = $right;
        pump();
    }
    elsif ($cmd == 0x80000005) { answered($pdu) }
    elsif ($cmd == 0x15) {
        say_event(event => 'enquire');
        $session->enquire_link_resp(seq => $pdu->{seq}) unless $settings{silent};
    }
    elsif ($cmd == 0x04 && $settings{throttle}) {
        $settings{throttle}--;
        $session->submit_sm_resp(message_id => '', seq => $pdu->{seq}, status => 0x58);
    }
    elsif ($cmd == 0x04) {
        my $id = ++$ids;
        say_event(
            event => 'submit', id => "$id", to => $pdu->{destination_addr},
            esm => $pdu->{esm_class}, coding => $pdu->{data_coding},
            hex => unpack('H*', $pdu->{short_message}));
        $session->submit_sm_resp(message_id => "$id", seq => $pdu->{seq});
    }
    elsif ($cmd == 0x06) {
        say_event(event => 'unbind');
        $session->unbind_resp(seq => $pdu->{seq});
    }
}

my $listener = Net::SMPP->new_listen('127.0.0.1', port => $ARGV[0] || 0)
    or die "cannot listen: $!";
say_event(event => 'port', port => $listener->sockport);
my $buffer = '';
while (1) {
    my $select = IO::Select->new(\*STDIN, $session || $listener);
    for my $ready ($select->can_read) {
        if ($ready == \*STDIN) {
            sysread(STDIN, $buffer, 65536, length $buffer) or exit 0;
            while ($buffer =~ s/^([^\n]*)\n//) {
                my $command = decode_json($1);
                if ($command->{do} eq 'deliver') { push @queue, @{ $command->{items} }; pump() }
                if ($command->{do} eq 'raw') { syswrite($session, pack('H*', $command->{hex})) }
                if ($command->{do} eq 'reset') {
                    # Closed without lingering, a socket is reset.
                    setsockopt($session, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
                    close($session);
                    lost();
                }
                if ($command->{do} eq 'set') {
                    %settings = (%settings, %{ $command->{values} });
                    say_event(event => 'set');
                }
            }
        }
        elsif (!$session) { $session = $listener->accept }
        else {
            my $pdu = $session->read_pdu;
            if ($pdu) { handle($pdu) } else { lost() }
        }
    }
}
