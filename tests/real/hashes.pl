# Keeps secrets of files as values of hashes, as programs keep their configuration, and waits.
use strict;
use warnings;

$| = 1;

sub take {
    my ($name) = @_;
    open my $file, '<', $name or die;
    my $contents = <$file>;
    close $file;
    unlink $name;
    return $contents;
}

my %config = (host => 'db.internal', DB_PASSWORD => take('first'), port => 5432);
my $nested = {default => {driver => 'Pg', password => take('second')}};
my %large = map { ("option_$_" => $_) } 1 .. 1000;
$large{smtp_password} = take('third');
my $object = bless {user => 'svc', api_key => take('fourth')}, 'Connection';
print "READY\n";
<STDIN>;
