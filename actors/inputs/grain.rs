//! File systems that give a file another time at each change after somebody asked for its times, however soon it comes:
//! multigrain timestamps. Source: `Documentation/filesystems/multigrain-ts.rst` of Linux, which has them since 6.13 for
//! these.
use super::files::Stamp;
use nix::sys::statfs::{BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, FsType, TMPFS_MAGIC, XFS_SUPER_MAGIC, fstatfs};
use std::os::fd::AsFd;
use std::sync::LazyLock;

const SYSTEMS: [FsType; 4] = [EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC];
const FIRST_KERNEL: (u32, u32) = (6, 13);

static KERNEL_HAS_THEM: LazyLock<bool> = LazyLock::new(|| {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    version(&release).is_some_and(|version| version >= FIRST_KERNEL)
});

/// Whether every change of a file or folder since the kernel was asked for this stamp gives it another one, but for writes through a
/// mapping that was written to before: these never do.
pub(super) fn tells_each_change(file: impl AsFd, stamp: &Stamp) -> bool {
    // ext2, and ext4 with small inodes, count in seconds.
    let counts_finely = stamp.modified.1 != 0 || stamp.changed.1 != 0;
    counts_finely
        && *KERNEL_HAS_THEM
        && fstatfs(file).is_ok_and(|system| SYSTEMS.contains(&system.filesystem_type()))
}

/// `6.13.0-rc1-amd64` is 6 and 13.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, write};

    #[test]
    fn kernels() {
        let rows = [
            ("6.13.0-rc1-amd64", Some((6, 13))),
            ("6.1.0-37-amd64", Some((6, 1))),
            ("5.15", Some((5, 15))),
            ("linux", None),
        ];
        for (release, expected) in rows {
            assert_eq!(version(release), expected, "{release}");
        }
    }

    /// Where it is said to be so, it is: on whatever this runs.
    #[test]
    fn changes_at_once_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let stamp = || Stamp::of_metadata(&path.metadata().unwrap());
        for round in 0..500u32 {
            write(&path, round.to_le_bytes()).unwrap();
            let before = stamp();
            write(&path, (!round).to_le_bytes()).unwrap();
            assert!(stamp() != before || !tells_each_change(File::open(&path).unwrap(), &before));
        }
    }
}
