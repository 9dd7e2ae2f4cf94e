//! `--dist-status`: the state of distributed compilation, one JSON value.
use crate::print;

// GAP(dist): no distributed compilation yet, so there is no scheduler to ask.
pub(crate) fn run() -> anyhow::Result<()> {
    print("{\"Disabled\":\"disabled\"}\n")
}
