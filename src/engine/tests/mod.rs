//! Tables: a command line and what it is taken for. Shortest line that shows the point; names of traps beside it.

mod aliases;
mod bases;
mod build_script;
mod dated;
mod depfile;
mod directives;
mod gnu;
mod keys;
mod manifest;
mod narrow;
mod observed;
mod options;
mod origins;
mod parens;
mod pasted;
mod response;
mod rustc;
mod scan;
