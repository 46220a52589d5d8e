#!/bin/sh
# Plays gcloud for a test: notes each call in $FAKE/calls, and keeps in $FAKE/there what was made.
# A command that has $FAIL in it fails as $HOW says.
printf '%s\n' "$*" >>"$FAKE/calls"
if [ -n "$FAIL" ]; then
  case "$*" in *"$FAIL"*) echo "ERROR: (gcloud) $HOW" >&2; exit 1 ;; esac
fi
case "$*" in "run worker-pools replace"*--region*) echo "ERROR: unrecognized arguments: --region" >&2; exit 2 ;; esac
group='' verb='' name='' secret=''
for word; do
  case $word in
    --secret=*) secret=${word#--secret=} ;;
    --*) ;;
    describe | create | access | add | replace | submit | deploy | enable | update | add-iam-policy-binding | get-auth-string)
      verb=${verb:-$word} ;;
    *) if [ -z "$verb" ]; then group=$group-$word; else name=${name:-$word}; fi ;;
  esac
done
name=${name%@*} name=${name##*/} name=${name%.yaml}
name=${name#livegate-}
thing=$FAKE/there/$group-$name
missing() { echo "ERROR: (gcloud) NOT_FOUND: $name was not found" >&2; exit 1; }
case "$group-$verb" in
  -projects-describe) echo 1234567890 ;;
  -artifacts-docker-images-describe) [ -e "$FAKE/there/images" ] || missing ;;
  -builds-submit) touch "$FAKE/there/images" ;;
  -redis-instances-get-auth-string) cat "$FAKE/password" ;;
  -redis-instances-describe)
    [ -e "$thing" ] || missing
    printf '{"state": "%s", "host": "10.0.0.3", "port": 6378, "serverCaCerts": [{"cert": "ONE"}, {"cert": "TWO"}]}' "${REDIS_STATE:-READY}" ;;
  -secrets-versions-access) cat "$FAKE/there/content-$secret" 2>/dev/null || missing ;;
  -secrets-versions-describe) echo "projects/1/secrets/$secret/versions/$(cat "$FAKE/there/version-$secret")" ;;
  -secrets-versions-add)
    cat >"$FAKE/there/content-livegate-$name"
    before=$(cat "$FAKE/there/version-livegate-$name" 2>/dev/null || echo 0)
    echo $((before + 1)) >"$FAKE/there/version-livegate-$name" ;;
  -run-worker-pools-describe)
    [ -e "$thing" ] || missing
    echo '{"metadata": {"annotations": {"run.googleapis.com/manualInstanceCount": "7"}}}' ;;
  *-describe) [ -e "$thing" ] || missing; cat "$thing" ;;
  -run-deploy) printf '"%s"' "$*" >"$FAKE/there/-run-services-$name" ;;
  *-create | *-replace) printf '"%s"' "$*" >"$thing" ;;
esac
