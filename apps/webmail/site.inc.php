<?php

// What differs from host to host. Readable for the web server's user only: it holds a key.

$site = [
    'name' => 'Webmail',
    // By the names that stand in the certificate; ssl: TLS from the start, tls: STARTTLS, always required.
    'imap' => 'ssl://mail.example.org:993',
    'submission' => 'ssl://mail.example.org:465',
    // A file of certificates, where the server's authority is not one that the system knows.
    'authority' => '',
    // Preferences, address books, web sessions; made from Roundcube's SQL/sqlite.initial.sql.
    'database' => 'sqlite:////var/lib/roundcube/webmail.sqlite?mode=0640',
    // 24 random characters; it encrypts the passwords of running web sessions: `openssl rand -base64 18`.
    'key' => '',
    // Cookies over HTTPS only.
    'https' => true,
    // A folder for log files; empty: syslog.
    'logs' => '',
    // A folder for uploads on their way; empty: Roundcube's own.
    'temporary' => '',
];
