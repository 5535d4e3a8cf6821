# Keeps keys of files, which are no text, as values of hashes, and waits.
use strict;
use warnings;

$| = 1;

sub take {
    my ($name) = @_;
    open my $file, '<:raw', $name or die;
    local $/;
    my $contents = <$file>;
    close $file;
    unlink $name;
    return $contents;
}

my %config = (host => 'db.internal', APP_SECRET => take('first'), port => 5432);
my $nested = {default => {driver => 'Pg', api_key => take('second')}};
my $object = bless {user => 'svc', signing_secret => take('third')}, 'Signer';
print "READY\n";
<STDIN>;
