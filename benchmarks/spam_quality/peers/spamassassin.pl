#!/usr/bin/perl
# The same for SpamAssassin: perl spamassassin.pl FOLD_FILE WORKDIR
#
# FOLD_FILE is what spam_quality wrote. For each fold its Bayes database learns from the other folds, then the fold is
# judged, all in one process, with Debian's rules and without the network. Times are of the processor. WORKDIR is for the
# databases.
use strict;
use warnings;
use Mail::SpamAssassin;
use Time::HiRes qw(clock);

my ($fold_file, $work) = @ARGV;
die "spamassassin.pl FOLD_FILE WORKDIR\n" unless $work;
my @all;
open(my $list, '<', $fold_file) or die "$fold_file: $!\n";
while (<$list>) {
  chomp;
  my ($fold, $kind, $path) = split(/ /, $_, 3);
  open(my $in, '<:raw', $path) or die "$path: $!\n";
  local $/;
  push @all, {fold => $fold, spam => $kind eq 'spam', octets => scalar <$in>};
}
my %folds = map { $_->{fold} => 1 } @all;

my $config = <<'END';
use_bayes 1
use_bayes_rules 1
bayes_auto_learn 0
bayes_auto_expire 0
use_txrep 0
use_auto_whitelist 0
skip_rbl_checks 1
dns_available no
required_score 5
END

my (@judged, $learning, $judging, $learned);
for my $fold (sort keys %folds) {
  my $folder = "$work/fold-$fold";
  mkdir $folder;
  my $sa = Mail::SpamAssassin->new({
    local_tests_only => 1, dont_copy_prefs => 1, userstate_dir => $folder, home_dir_for_helpers => $folder,
    rules_filename => '/usr/share/spamassassin', site_rules_filename => '/etc/spamassassin',
    userprefs_filename => '/dev/null', post_config_text => $config . "bayes_path $folder/bayes\n"});
  $sa->init(1);
  $sa->init_learner({caller_will_untie => 1});
  my $begin = clock;
  for my $one (grep { $_->{fold} != $fold } @all) {
    my $mail = $sa->parse($one->{octets}, 0);
    $sa->learn($mail, undef, $one->{spam}, 0)->finish;
    $mail->finish;
    $learned++;
  }
  $sa->rebuild_learner_caches;
  $sa->finish_learner;
  my $middle = clock;
  for my $one (grep { $_->{fold} == $fold } @all) {
    my $mail = $sa->parse($one->{octets}, 1);
    my $status = $sa->check($mail);
    my $bayes = grep { /^BAYES_/ } split(/,/, $status->get_names_of_tests_hit);
    push @judged, {score => $status->get_score, spam => $one->{spam}, bayes => $bayes};
    $status->finish;
    $mail->finish;
  }
  $learning += $middle - $begin;
  $judging += clock() - $middle;
  $sa->finish;
}

sub quality {
  my ($threshold) = @_;
  my ($hits, $alarms, $spam) = (0, 0, 0);
  for (@judged) {
    $spam++ if $_->{spam};
    next if $_->{score} < $threshold;
    $_->{spam} ? $hits++ : $alarms++;
  }
  my $ham = @judged - $spam;
  return {f1 => 2 * $hits / ($hits + $alarms + $spam), precision => $hits / (($hits + $alarms) || 1),
          recall => $hits / $spam, alarms => $alarms / $ham, count => $alarms};
}

sub show {
  my ($what, $threshold) = @_;
  my $q = quality($threshold);
  printf "%-14s threshold %6.2f  precision %.4f  recall %.4f  F1 %.4f  false positives %.3f %% (%d)\n", $what, $threshold,
         $q->{precision}, $q->{recall}, $q->{f1}, 100 * $q->{alarms}, $q->{count};
}

show('default', 5);
my ($best, $at) = (0, 5);
for (my $threshold = 0; $threshold <= 20; $threshold += 0.1) {
  my $q = quality($threshold);
  ($best, $at) = ($q->{f1}, $threshold) if $q->{alarms} < 0.001 && $q->{f1} > $best;
}
show('best', $at);
printf "%d of %d had an opinion of the classifier\n", scalar(grep { $_->{bayes} } @judged), scalar @judged;
printf "%.0f us to learn a message, %.0f us to judge one with the rules\n", 1e6 * $learning / $learned, 1e6 * $judging / @judged;
