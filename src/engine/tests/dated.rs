//! Texts of scripts that may write down the time.
use crate::observed::dated::may_be;

#[test]
fn scripts_that_may_be_dated_are_told_by_their_text() {
    let rows = [
        ("/p/a.py", "import time", true),
        ("/p/a.py", "import os, time", true),
        ("/p/a.py", "    from datetime import datetime", true),
        ("/p/a.py", "if 1: import time", true),
        ("/p/a.py", "__import__('time').ctime()", true),
        ("/p/a.py", "# at build time\nimport os\nX = 'EVP_DigestUpdate time_t'", false),
        ("/p/tool", "#!/usr/bin/env python3\nimport time", true),
        ("/p/data", "import time", false),
        ("/p/a.pl", "my $t = localtime;", true),
        ("/p/a.pl", "# time\nprint $runtime, update();", false),
        ("/p/A.pm", "print time;", true),
        ("/p/tool", "#!/usr/bin/perl -w\nprint scalar gmtime(time)", true),
        ("/p/a.sh", "echo $EPOCHSECONDS", true),
        ("/p/a.sh", "printf '%(%F)T'", true),
        ("/p/configure", "#! /bin/sh\necho $timestamp", false),
        ("/p/a.c", "time(0)", false),
        ("/p/a.h", "#define WHEN __DATE__", true),
    ];
    for (path, text, expected) in rows {
        assert_eq!(may_be(path.as_bytes(), text.as_bytes()), expected, "{path}: {text}");
    }
}
