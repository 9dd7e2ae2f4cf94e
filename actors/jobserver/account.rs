//! What is out of a jobserver that the coordinator owns, and when its tokens may be counted anew.
//!
//! A process that is killed keeps the tokens it had taken. They are missed only when nobody can hold any: no
//! token is taken by ourselves, and every process that was told of the fifo has ended. Counting earlier would
//! double tokens that are in use.

/// See the file's head.
#[derive(Debug, Default)]
pub(crate) struct Account {
    taken: usize,
    lent: usize,
    in_doubt: bool,
}

impl Account {
    /// The coordinator took a token.
    pub(crate) fn take(&mut self) {
        self.taken += 1;
    }
    /// It gave one back.
    pub(crate) fn give_back(&mut self) {
        self.taken = self.taken.saturating_sub(1);
    }
    /// A process was told of the fifo.
    pub(crate) fn lend(&mut self) {
        self.lent += 1;
        self.in_doubt = true;
    }
    /// It has ended.
    pub(crate) fn end_of_lease(&mut self) {
        self.lent = self.lent.saturating_sub(1);
    }
    /// Whether some process that was told of the fifo may still run.
    pub(crate) fn is_lent(&self) -> bool {
        self.lent > 0
    }
    /// Whether the tokens are to be counted now; true once after the last process has ended.
    pub(crate) fn count_is_due(&mut self) -> bool {
        let due = self.in_doubt && self.taken == 0 && self.lent == 0;
        if due {
            self.in_doubt = false;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_counted_when_nobody_can_hold_one_and_only_then() {
        let mut account = Account::default();
        assert!(!account.count_is_due(), "nobody but ourselves was there");
        account.take();
        account.lend();
        account.lend();
        account.end_of_lease();
        assert!(!account.count_is_due(), "one still runs");
        account.end_of_lease();
        assert!(!account.count_is_due(), "we hold one");
        account.lend();
        account.give_back();
        assert!(!account.count_is_due(), "a new one runs");
        account.end_of_lease();
        assert!(account.count_is_due());
        assert!(!account.count_is_due(), "counted already");
        account.take();
        account.give_back();
        assert!(!account.count_is_due(), "ours come back without counting");
    }
}
