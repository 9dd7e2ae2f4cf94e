//! Make dependency text of `-MD`, narrowed to what `-MMD` would have written.
//!
//! Both words give one list; `-MMD` leaves system headers out. Where lines are broken differs between compilers and
//! their versions, so the rule for it is tried on the whole text first: it must come out byte for byte.
//! Absent on purpose: which names are system headers, and texts with escapes (there the compiler is asked again).
use crate::depfile::ends_targets;
use crate::job::Family;

/// The text without the prerequisites that are `dropped`; `None` where this module cannot tell how the compiler would
/// have written it.
pub fn narrow(text: &[u8], family: Family, dropped: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let mut rule = Rule::read(text)?;
    // clang lists files of its own before the source.
    rule.source = (0..MAX_BEFORE_SOURCE)
        .find(|&source| Rule { source, ..rule.clone() }.write(family, |_| true) == text)?;
    Some(rule.write(family, |name| !dropped(name)))
}

/// How far behind the source may stand among the names.
const MAX_BEFORE_SOURCE: usize = 8;

/// A rule without escapes, and whether one without prerequisites follows for each name but the source (`-MP`).
#[derive(Clone)]
struct Rule<'t> {
    /// Up to the colon.
    targets: &'t [u8],
    names: Vec<&'t [u8]>,
    /// Which of them is the source.
    source: usize,
    /// What stands before each of those rules; older compilers leave a line empty.
    phony: Option<&'static [u8]>,
}

impl<'t> Rule<'t> {
    fn read(text: &'t [u8]) -> Option<Self> {
        let colon = text.iter().enumerate().position(|(at, &byte)| byte == b':' && ends_targets(text, at))?;
        let (targets, rest) = text.split_at_checked(colon + 1)?;
        // Only where the compiler has broken the line, a column begins anew.
        let is_broken = |at: &usize| targets.get(*at) == Some(&b'\n') && !targets[..*at].ends_with(b" \\");
        if (0..targets.len()).any(|at| is_broken(&at)) {
            return None;
        }
        let mut after = rest.iter().skip(1).chain([&b'\n']);
        let is_odd = |byte: &u8, next: &u8| match byte {
            b'\\' => *next != b'\n',
            _ => matches!(byte, b'$' | b'#' | b'\t' | b'\r'),
        };
        if rest.iter().any(|byte| after.next().is_none_or(|next| is_odd(byte, next))) {
            return None;
        }
        let end = (0..rest.len())
            .find(|&at| rest[at] == b'\n' && at.checked_sub(1).map(|at| rest[at]) != Some(b'\\'));
        let (list, phonies) = rest.split_at_checked(end? + 1)?;
        let names = list.split(|byte| b" \\\n".contains(byte)).filter(|name| !name.is_empty()).collect();
        let phony = phonies.first().map(|first| if *first == b'\n' { &b"\n"[..] } else { b"" });
        Some(Rule { targets, names, source: 0, phony })
    }

    fn write(&self, family: Family, kept: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let mut out = self.targets.to_vec();
        let mut column = out.rsplit(|&byte| byte == b'\n').next().map_or(0, <[u8]>::len);
        for name in self.names.iter().filter(|name| kept(name)) {
            match family {
                // libcpp's `make_write_name`.
                Family::Gcc if column + name.len() > 72 => {
                    out.extend_from_slice(b" \\\n");
                    column = 0;
                }
                // `DependencyFileGenerator::outputDependencyFile`.
                Family::Clang if column + name.len() + 3 > 75 => {
                    out.extend_from_slice(b" \\\n ");
                    column = 2;
                }
                _ => {}
            }
            out.push(b' ');
            out.extend_from_slice(name);
            column += name.len() + 1;
        }
        out.push(b'\n');
        let Some(before) = self.phony else { return out };
        for (_, name) in self.names.iter().enumerate().filter(|(at, name)| *at != self.source && kept(name)) {
            out.extend_from_slice(&[before, name, b":\n"].concat());
        }
        out
    }
}
