//! Rows: a command line, and what it is taken for (see `summary`). Names were taken from rustc 1.95.

pub(super) const ROWS: &[(&str, &str)] = &[
    // As cargo calls.
    (
        "rustc --crate-name serde --edition=2021 src/lib.rs --error-format=json \
         --json=diagnostic-rendered-ansi,artifacts,future-incompat --crate-type lib --emit=dep-info,metadata,link \
         -C embed-bitcode=no -C debuginfo=2 --cfg feature=\"std\" --check-cfg cfg(docsrs,test) \
         --check-cfg cfg(feature,values(\"std\")) -C metadata=0a -C extra-filename=-0b --out-dir /t/deps \
         -L dependency=/t/deps --extern x=/t/deps/libx-1.rmeta --cap-lints allow",
        "/t/deps/libserde-0b.rlib /t/deps/libserde-0b.rmeta /t/deps/serde-0b.d",
    ),
    (
        "rustc --crate-name build_script_build --edition=2021 build.rs --crate-type bin --emit=dep-info,link \
         -C metadata=0a -C extra-filename=-0b --out-dir /t/b",
        "/t/b/build_script_build-0b /t/b/build_script_build-0b.d",
    ),
    (
        "rustc --crate-name p src/lib.rs --crate-type proc-macro --emit=dep-info,link -C prefer-dynamic \
         -C extra-filename=-1 --out-dir d --extern proc_macro",
        "d/libp-1.so d/p-1.d",
    ),
    (
        "rustc --crate-name a src/main.rs --emit=dep-info,link --test -C extra-filename=-1 --out-dir d",
        "d/a-1 d/a-1.d",
    ),
    ("rustc --crate-name a src/main.rs --emit=dep-info,metadata --test --out-dir d", "d/liba.rmeta d/a.d"),
    (
        "rustc --crate-name a src/main.rs --crate-type bin --emit=dep-info,metadata --out-dir d",
        "d/liba.rmeta d/a.d",
    ),
    (
        "clippy-driver /t/bin/rustc --crate-name a src/lib.rs --crate-type lib --emit=dep-info,metadata --out-dir d",
        "d/liba.rmeta d/a.d",
    ),
    ("clippy-driver --rustc --crate-name a a.rs", "!--rustc"),
    ("rustc rustc --crate-name a a.rs --test", "!multiple input files"),
    // Crate types.
    ("RUSTC", "liba.rlib"),
    ("RUSTC --crate-type rlib,lib", "liba.rlib"),
    ("RUSTC --crate-type cdylib --crate-type=staticlib", "liba.rlib liba.so liba.a"),
    ("RUSTC --crate-type dylib,cdylib", "!one file named twice"),
    ("RUSTC --crate-type sdylib", "!crate-type"),
    ("rustc --crate-name a a.rs", "!crate-type"),
    ("rustc --crate-name a a.rs --emit metadata,obj", "liba.rmeta a.o"),
    // Names (T173).
    (
        "RUSTC --emit asm,llvm-ir,llvm-bc,mir,obj,dep-info -C extra-filename=-1",
        "a-1.d a-1.o a-1.s a-1.ll a-1.bc a-1.mir",
    ),
    ("RUSTC --emit=dep-info=x/k,link=z --emit metadata=m --out-dir d", "z m x/k"),
    ("RUSTC --emit dep-info=k --emit dep-info --out-dir d", "d/a.d"),
    ("RUSTC -o d/x.y", "d/x.y"),
    ("RUSTC -o d/x.y --emit link,dep-info=k --out-dir e -C extra-filename=-1", "d/x.y k"),
    ("RUSTC -o d/x --emit link,dep-info,obj -C extra-filename=-1", "d/liba-1.rlib d/x-1.d d/x-1.o"),
    ("RUSTC -o d/x.y.z --emit link,dep-info", "!-o"),
    ("RUSTC -o x --crate-type cdylib", "!one file named twice"),
    ("RUSTC -o a.rs", "!one file named twice"),
    ("RUSTC -C extra-filename", "!extra-filename"),
    ("RUSTC -C extra-filename=.x", "!extra-filename"),
    ("RUSTC --emit obj -C codegen-units=4", "!-C codegen-units"),
    ("RUSTC --emit obj -C codegen-units=1", "a.o"),
    ("RUSTC -C codegen-units=4", "liba.rlib"),
    ("RUSTC --emit obj=-", "!output is not a file"),
    ("RUSTC -o -", "!output is not a file"),
    ("RUSTC -o /dev/null --emit metadata", "!output is not a file"),
    ("RUSTC --emit thin-link-bitcode", "!unsupported --emit"),
    ("RUSTC --emit ''", "!unsupported --emit"),
    // Targets.
    ("RUSTC --target x86_64-pc-windows-gnu", "liba.rlib"),
    ("RUSTC --target x.json", "liba.rlib"),
    ("RUSTC --target wasm32-unknown-unknown --crate-type cdylib", "!--target"),
    ("RUSTC --target x86_64-pc-windows-gnu --test", "!--target"),
    ("RUSTC --target x-linux.json --test", "!--target"),
    ("RUSTC --target wasm32-wali-linux-musl --test", "!--target"),
    ("RUSTC --target x86_64-unknown-linux-musl --crate-type cdylib", "liba.rlib liba.so?"),
    ("RUSTC --target aarch64-linux-android --test", "a"),
    ("RUSTC --target thumbv7em-none-eabihf --test", "a"),
    // Queries (T170).
    ("rustc -vV", "-"),
    ("rustc", "-"),
    ("rustc - --crate-name ___ --print=file-names --crate-type bin", "-"),
    ("RUSTC --print native-static-libs", "-"),
    ("rustc -C help", "-"),
    ("rustc -W help", "-"),
    ("rustc -Zunpretty=expanded a.rs", "-"),
    ("rustc --explain E0001", "-"),
    ("rustc -hg", "-"),
    ("clippy-driver rustc -vV", "-"),
    // What is missing, doubled or no file.
    ("rustc --crate-name a --crate-type lib", "!missing input"),
    ("rustc - --crate-name a --crate-type lib", "!-"),
    ("rustc a.rs --crate-type lib", "!missing crate_name"),
    ("RUSTC b.rs", "!multiple input files"),
    ("rustc --crate-name a /dev/stdin --crate-type lib", "!input is not a file"),
    ("RUSTC --edition", "!argument parse"),
    ("RUSTC --test=1", "!argument parse"),
    ("RUSTC -C", "!argument parse"),
    ("rustc --crate-name a --test -- -a.rs", "a"),
    ("rustc --crate-name a --test -- -- a.rs", "!--"),
    // Hard words.
    ("RUSTC -C incremental=d", "!incremental"),
    ("RUSTC -C save-temps", "!-C save-temps"),
    ("RUSTC -C save_temps=yes", "!-C save-temps"),
    ("RUSTC -Csplit-debuginfo=packed", "!-C split-debuginfo"),
    ("RUSTC -Csplit-debuginfo=unpacked", "!-C split-debuginfo"),
    ("RUSTC -Csplit-debuginfo=off", "liba.rlib"),
    ("RUSTC -C profile-generate=d -C profile-use=f -C instrument-coverage", "liba.rlib"),
    ("RUSTC -C unheard-of", "!-C unheard-of"),
    ("RUSTC -Zdump-mir=all", "!-Z dump-mir"),
    ("RUSTC -Zself-profile", "!-Z self-profile"),
    ("RUSTC -Ztime-passes", "!-Z time-passes"),
    ("RUSTC -Zno-link", "!-Z no-link"),
    ("RUSTC -Zunheard-of=1", "!-Z unheard-of"),
    ("RUSTC -Zunstable-options", "liba.rlib"),
    ("RUSTC --unheard-of=1", "!--unheard-of"),
    ("RUSTC -gq", "!-gq"),
    ("RUSTC -\u{fc}", "!-\u{fc}"),
    ("RUSTC_LOG=x RUSTC", "!RUSTC_LOG"),
    ("FAKETIME= RUSTC", "!FAKETIME"),
];
