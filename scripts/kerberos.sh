#!/usr/bin/env bash
# Finds or installs a KDC, which the tests of Kerberos run as they need it, and faketime,
# which shifts its clock. They do without, by skipping those tests.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

PATH=$PATH:/usr/sbin:/opt/homebrew/opt/krb5/sbin:/opt/homebrew/opt/krb5/bin

installed() { have krb5kdc && have kadmin.local && have kinit && have faketime; }

if installed; then
    exit
elif have apt-get; then
    say "Kerberos: installing the system's packages, because none are installed."
    (install_packages krb5-kdc krb5-admin-server faketime) || say "No KDC: the tests of Kerberos will be skipped."
else
    say "No krb5kdc, kadmin.local, kinit or faketime, and no apt-get: tests of Kerberos will be skipped."
fi
