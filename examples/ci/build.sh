#!/bin/sh
# Builds a cargo project on a machine that has nothing but these variables (and `cachepot` on PATH):
#
#   CACHEPOT_BUCKET, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
#
# What any earlier job compiled comes from the bucket. Its rights: s3:GetObject and s3:PutObject for its objects, s3:ListBucket for the
# bucket (without it S3 says of what is not there that it is forbidden, which works too, but cannot be told from a wrong key).
# Runs in CI with a server that checks signatures: `bench/ci hyperfine`.
set -eu
export RUSTC_WRAPPER=cachepot CARGO_INCREMENTAL=0
cachepot --storage-check
cargo build --locked "$@"
# Waits for what is still on its way to the bucket, and says what came from there.
cachepot --stop-coordinator
