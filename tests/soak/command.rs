//! Compile lines, made by chance from the options that the cache has to understand.
//!
//! Arguments hold two marks that are filled in when the line is run: `{root}` is the path of the
//! checkout, `{up}` leads from the folder of the command to the checkout (empty or `../`).

use crate::model::Model;
use crate::project::SOURCES;
use crate::random::Random;

/// One compile line, not bound to a checkout.
#[derive(Clone, Debug)]
pub(crate) struct CompileLine {
    /// Folder inside the checkout that the line runs in; empty for its root.
    pub(crate) folder: &'static str,
    /// Compiler and arguments, with marks.
    pub(crate) words: Vec<String>,
    /// Explicit output, relative to the checkout.
    pub(crate) output: Option<String>,
    /// True where the compiler replaces an existing output by a new file: `-c`, but not clang's own
    /// assembler, which writes into the old one.
    pub(crate) makes_new_file: bool,
}

impl CompileLine {
    /// Makes a line for one of `compilers`.
    pub(crate) fn generate(compilers: &[&str], random: &mut Random) -> Self {
        let folder = if random.chance(12) { "sub" } else { "" };
        let source = *random.pick(&[SOURCES, &["main.c", "sub/x.c", "other/x.c", "sub/y.cpp"]].concat());
        let mut words = vec![compiler_for(source, compilers, random)];
        let action = *random.pick(&["-c", "-c", "-c", "-c", "-c", "-c", "-c", "-c", "-c", "-S", "-S", "-E"]);
        let action = if random.chance(2) { "-fsyntax-only" } else { action };
        words.push(action.to_owned());
        options(folder, &mut words, random);
        let stem = source.rsplit('/').next().unwrap_or(source).split('.').next().unwrap_or(source);
        let output = output(stem, action, random);
        if let Some(path) = &output {
            let place = if random.chance(15) { "{root}/" } else { "{up}" };
            if random.chance(20) {
                words.push(format!("-o{place}{path}"));
            } else {
                words.extend(["-o".to_owned(), format!("{place}{path}")]);
            }
        }
        if source.ends_with(".c") && random.chance(4) {
            words.extend(["-x".to_owned(), "c++".to_owned()]);
        }
        let place = if random.chance(20) { "{root}/" } else { "{up}" };
        words.push(format!("{place}{source}"));
        if output.is_none() && random.chance(2) {
            words.push("{up}z.cpp".to_owned());
        }
        let assembler = source.ends_with(".s") || source.ends_with(".S");
        let makes_new_file = action == "-c" && !(assembler && words[0].starts_with("clang"));
        Self { folder, words, output, makes_new_file }
    }

    /// The words as they are run in the present checkout of `model`.
    pub(crate) fn resolve(&self, model: &Model) -> Vec<String> {
        let root = model.root().to_string_lossy().into_owned();
        let up = if self.folder.is_empty() { "" } else { "../" };
        self.words.iter().map(|word| word.replace("{root}", &root).replace("{up}", up)).collect()
    }
}

fn compiler_for(source: &str, compilers: &[&str], random: &mut Random) -> String {
    if random.chance(15) && !source.ends_with(".cpp") {
        return "{root}/tool/cc".to_owned();
    }
    let plus = source.ends_with(".cpp") || random.chance(5);
    let fit: Vec<&str> = compilers.iter().copied().filter(|name| name.ends_with("++") == plus).collect();
    (*random.pick(&fit)).to_owned()
}

fn options(folder: &str, words: &mut Vec<String>, random: &mut Random) {
    let mut add = |list: &[&str]| words.extend(list.iter().map(|word| (*word).to_owned()));
    add(match random.below(5) {
        0 | 1 => &["-O2"],
        2 => &["-O0"],
        _ => &[],
    });
    add(match random.below(12) {
        0 | 1 => &["-g"],
        2 => &["-g", "-gsplit-dwarf"],
        3 => &["-g", "-fdebug-prefix-map={root}=/src"],
        4 => &["-g1", "-ffile-prefix-map={root}=."],
        5 => &["-g", "-g0"],
        _ => &[],
    });
    add(match random.below(24) {
        0..=5 => &["-Wall", "-Wextra"],
        6 => &["-Wall", "-Werror"],
        7 => &["-w"],
        8 => &["-Wall", "-fdiagnostics-color=always"],
        9 => &["-fstack-usage"],
        10 => &["-fPIC", "-ffunction-sections"],
        11 => &["-flto", "-frandom-seed=7"],
        12 => &["-frecord-gcc-switches"],
        13 => &["-march=native"],
        14 => &["-save-temps=obj"],
        15 => &["-DFLAG=__LINE__", "-fno-common"],
        _ => &[],
    });
    for (percent, flag) in
        [(20, "-DFLAG=11"), (10, "-DFLAG=12"), (5, "-UFLAG"), (5, "-pipe"), (4, "-P"), (4, "-H")]
    {
        if random.chance(percent) {
            add(&[flag]);
        }
    }
    search_path(&mut add, random);
    dependencies(&mut add, random);
    if folder.is_empty() && random.chance(12) {
        add(&["@args.rsp"]);
    }
}

fn search_path(add: &mut impl FnMut(&[&str]), random: &mut Random) {
    let choices: &[&[&str]] = &[
        &["-I{up}inc0"],
        &["-I{up}inc1"],
        &["-I", "{up}inc2"],
        &["-I{up}link"],
        &["-I{root}/inc1"],
        &["-iquote", "{up}quote"],
        &["-iquote{up}gone"],
        &["-isystem", "{up}sysinc"],
        &["-isystem", "{up}inc0"],
        &["-idirafter", "{up}idir"],
        &["-I{up}args.rsp"],
        &["-include", "{up}force.h"],
        &["-include", "force.h"],
        &["-imacros", "{up}force.h"],
        &["-I."],
    ];
    for _ in 0..1 + random.below(4) {
        add(random.pick::<&[&str]>(choices));
    }
    if random.chance(85) {
        add(&["-I{up}inc3"]);
    }
}

fn dependencies(add: &mut impl FnMut(&[&str]), random: &mut Random) {
    let what = *random.pick(&["", "-MD", "-MD", "-MMD"]);
    if random.chance(5) {
        return add(&["-Wp,-MD,{up}out/wp.d"]);
    }
    if what.is_empty() {
        return;
    }
    add(&[what]);
    add(match random.below(5) {
        0 => &["-MF", "{up}out/deps.d"],
        1 => &["-MF{root}/out/deps.d"],
        _ => &[],
    });
    add(match random.below(8) {
        0 => &["-MT", "first", "-MT", "second"],
        1 => &["-MQ", "$(target)"],
        2 => &["-MTjoined", "-MP"],
        3 => &["-MP"],
        _ => &[],
    });
}

fn output(stem: &str, action: &str, random: &mut Random) -> Option<String> {
    let end = match action {
        "-S" => "s",
        "-E" => "ii",
        _ => "o",
    };
    match random.below(10) {
        0..=2 => None,
        3 | 4 => Some(format!("out/{stem}.{end}")),
        5 => Some(format!("out/deep/{stem}.x.{end}")),
        6 => Some(format!("out/{stem}")),
        7 => Some(format!("missing/{stem}.{end}")).filter(|_| random.chance(10)),
        _ => Some(format!("{stem}.{end}")),
    }
}
