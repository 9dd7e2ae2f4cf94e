//! How deep in parentheses the words of a text stand: what stands outside of all is handed to no macro. That holds where
//! the parentheses are those that the compiler sees, whichever branches of an `#if` it takes, and where each macro and each
//! text closes what it opens. Where that is not sure, the depth says nothing. A line of a directive has to close what it opens,
//! whatever it is for: it may be none.
use std::ops::Range;

/// Follows a text from its start.
#[derive(Default)]
pub(super) struct Parens {
    depth: usize,
    /// Those without their `#endif` so far, the outermost first.
    conditionals: Vec<Conditional>,
    /// The directive on whose line we are.
    directive: Option<Directive>,
    /// The last string with splices,
    string: Range<usize>,
    /// and where its last line ends.
    sure_to: usize,
    unclear: bool,
}

/// An `#if`.
struct Conditional {
    /// The depth where it begins, and with it each branch,
    start: usize,
    /// and where the branches so far end: all at the same.
    end: Option<usize>,
    has_else: bool,
}

struct Directive {
    /// The depth in front of its line.
    outer: usize,
    is_named: bool,
}

impl Parens {
    /// Whether the depth says nothing, now that the text has ended.
    pub(super) fn are_unclear(&self) -> bool {
        self.unclear
            || self.depth != 0
            || self.directive.as_ref().is_some_and(|directive| directive.outer > 0)
    }

    /// Whether parentheses are open here, if they are clear.
    pub(super) fn are_open(&self) -> bool {
        self.depth > 0
    }

    /// At the quote of a string that ends on another line: it is clear if nothing else there is a quote, an escape or a
    /// comment.
    pub(super) fn string_with_splices(&mut self, at: usize, rest: &[u8]) {
        let is_end = |&end: &usize| !rest.get(..end).is_some_and(|line| line.ends_with(b"\\"));
        let end = memchr::memchr_iter(b'\n', rest).find(is_end).unwrap_or(rest.len());
        let mut parts = rest.get(..end).unwrap_or_default().split(|&byte| byte == b'"');
        let (Some([]), Some(string), Some(behind), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return;
        };
        let is_plain = |part: &[u8], others: &[u8]| {
            let mut after = part.split(|&byte| byte == b'\\').skip(1);
            after.all(|rest| rest.starts_with(b"\n")) && !part.iter().any(|byte| others.contains(byte))
        };
        if is_plain(string, b"\r?") && is_plain(behind, b"\r?'/<") {
            self.string = at..at + 1 + string.len();
            self.sure_to = at + end;
        }
    }

    /// `is_sure`: it is one for the compiler.
    pub(super) fn paren(&mut self, byte: u8, at: usize, is_sure: bool) {
        if self.string.contains(&at) {
            return;
        }
        self.unclear |= !is_sure && at >= self.sure_to;
        match (byte, self.depth.checked_sub(1)) {
            (b'(', _) => self.depth += 1,
            (_, Some(depth)) => self.depth = depth,
            (_, None) => self.unclear = true,
        }
    }

    /// A `#` that begins a directive, stands in one, or may be something else.
    pub(super) fn hash(&mut self, begins_line: bool) {
        if self.directive.is_none() {
            self.unclear |= !begins_line;
            let outer = std::mem::take(&mut self.depth);
            self.directive = Some(Directive { outer, is_named: false });
        }
    }

    /// A line that may end within the line of a directive.
    pub(super) fn doubt_directive(&mut self) {
        self.unclear |= self.directive.is_some();
    }

    /// The name of a directive, or a word behind another `#` on its line. `is_sure`: nothing stands between them.
    pub(super) fn name(&mut self, name: &[u8], is_sure: bool) {
        let Some(directive) = self.directive.as_mut().filter(|directive| !directive.is_named) else { return };
        directive.is_named = true;
        self.unclear |= !is_sure;
        match name {
            b"if" | b"ifdef" | b"ifndef" => {
                self.conditionals.push(Conditional { start: directive.outer, end: None, has_else: false });
            }
            b"elif" | b"elifdef" | b"elifndef" | b"else" => {
                let Some(conditional) = self.conditionals.last_mut() else { return self.unclear = true };
                self.unclear |= !conditional.ends(directive.outer);
                conditional.has_else = name == b"else";
                directive.outer = conditional.start;
            }
            b"endif" => {
                let Some(mut conditional) = self.conditionals.pop() else { return self.unclear = true };
                self.unclear |= !conditional.ends(directive.outer);
                // Nothing is a branch, too.
                self.unclear |= !conditional.has_else && !conditional.ends(conditional.start);
            }
            b"include" | b"include_next" | b"import" | b"embed" => self.unclear |= directive.outer > 0,
            b"define" | b"undef" | b"error" | b"warning" | b"pragma" | b"line" | b"ident" => {}
            _ => self.unclear |= !name.iter().all(u8::is_ascii_digit),
        }
    }

    /// The end of a line that does not go on behind it.
    pub(super) fn end_line(&mut self) {
        if let Some(directive) = self.directive.take() {
            self.unclear |= self.depth != 0;
            self.depth = directive.outer;
        }
    }
}

impl Conditional {
    /// Whether this end of a branch is where the others end.
    fn ends(&mut self, depth: usize) -> bool {
        *self.end.get_or_insert(depth) == depth
    }
}
