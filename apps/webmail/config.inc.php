<?php

// Roundcube in front of Briefwerk: what holds on every host. What differs stands in site.inc.php beside this file.
// Both belong into the folder that ROUNDCUBE_CONFIG_DIR names, with Roundcube's own defaults.inc.php.

$config = [];

// The name of the mailbox owner and the password are those of IMAP; Roundcube has no accounts of its own.
$config['smtp_user'] = '%u';
$config['smtp_pass'] = '%p';
$config['login_lc'] = 2;
$config['login_autocomplete'] = 2;
$config['mime_param_folding'] = 0;  // names of attachments as RFC 2231 says

// Every account has these from the start, so they are named, not made.
$config['drafts_mbox'] = 'Drafts';
$config['junk_mbox'] = 'Junk';
$config['sent_mbox'] = 'Sent';
$config['trash_mbox'] = 'Trash';
$config['archive_mbox'] = 'Archive';
$config['create_default_folders'] = false;
$config['lock_special_folders'] = true;

// Junk by the registered keywords (RFC 5788), the ones that the server sets and learns from.
$config['plugins'] = ['archive', 'zipdownload', 'markasjunk'];
$config['markasjunk_spam_flag'] = '$Junk';
$config['markasjunk_ham_flag'] = '$NotJunk';

// The server answers sorted, threaded and searched lists itself: nothing of a mailbox is copied here.
$config['imap_cache'] = null;
$config['messages_cache'] = false;
$config['quota_zero_as_unlimited'] = true;
$config['enable_spellcheck'] = false;  // the usual one sends the text to somebody else
$config['skin'] = 'elastic';
$config['session_samesite'] = 'Strict';
$config['login_rate_limit'] = 0;       // the server's login guard counts

require __DIR__ . '/site.inc.php';

// Encrypted from the first octet, with the certificate checked. site.inc.php names an authority only where the system
// does not know it.
$tls = ['ssl' => ['verify_peer' => true, 'verify_peer_name' => true, 'allow_self_signed' => false]];
if (!empty($site['authority'])) {
    $tls['ssl']['cafile'] = $site['authority'];
}
$config['imap_host'] = $site['imap'];
$config['smtp_host'] = $site['submission'];
$config['imap_conn_options'] = $tls;
$config['smtp_conn_options'] = $tls;
$config['db_dsnw'] = $site['database'];
$config['des_key'] = $site['key'];
$config['product_name'] = $site['name'];
$config['use_https'] = $site['https'];
$config['log_driver'] = empty($site['logs']) ? 'syslog' : 'file';
if (!empty($site['logs'])) {
    $config['log_dir'] = $site['logs'];
}
if (!empty($site['temporary'])) {
    $config['temp_dir'] = $site['temporary'];
}
