#!/bin/sh
# Publishes RELEASE, unless somebody with a later TOKEN has been here. The look at
# the last token and the writing must be one step; a database would do both in one
# statement (UPDATE ... WHERE token <= ?).
set -eu
until mkdir published.busy 2>/dev/null; do sleep 0.1; done
trap 'rmdir published.busy' EXIT

last=$(cat published.token 2>/dev/null || echo 0)
if [ "$TOKEN" -lt "$last" ]; then
  echo "token $TOKEN is older than $last: the lock was lost meanwhile, nothing is published" >&2
  exit 1
fi
echo "$RELEASE" >published
echo "$TOKEN" >published.token
echo "published $RELEASE"
